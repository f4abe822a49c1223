import { createReadStream } from 'node:fs'

/**
 * Aborts on SIGINT, SIGTERM, SIGHUP, or when the process that stands in for this one (the launcher
 * under an older Node) is gone. A second signal ends the process at once.
 */
export function endSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  const parentFd = Number(process.env.BRIDGEKEEPER_PARENT_FD)
  // Local servers and other children are not told: the pipe is ours alone.
  delete process.env.BRIDGEKEEPER_PARENT_FD
  if (Number.isInteger(parentFd) && parentFd > 2) watch(parentFd, () => controller.abort())
  return controller.signal
}

function watch(fd: number, ended: () => void): void {
  const pipe = createReadStream('', { fd, autoClose: false })
  pipe.on('end', ended)
  pipe.on('error', ended)
  pipe.resume()
}

/** Resolves once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
