import { Socket } from 'node:net'

/** Reason of a signal that was aborted by SIGINT. */
export const CTRL_C = Symbol('Ctrl-C')

/**
 * Aborts on SIGINT, SIGTERM, SIGHUP, or when the launcher that started this process has ended. A second
 * SIGINT ends the process at once.
 */
export function endSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => controller.abort()
  process.on('SIGTERM', stop)
  process.on('SIGHUP', stop)
  process.on('SIGINT', () => (controller.signal.aborted ? process.exit(1) : controller.abort(CTRL_C)))
  const parentFd = Number(process.env.BRIDGEKEEPER_PARENT_FD)
  // Hides the pipe from local servers and other children.
  delete process.env.BRIDGEKEEPER_PARENT_FD
  if (Number.isInteger(parentFd) && parentFd > 2) {
    new Socket({ fd: parentFd, writable: false }).once('close', stop).on('error', stop).resume().unref()
  }
  return controller.signal
}

/** Resolves once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
