/** Events are dropped while this much waits for a reader of standard output. */
export const MAX_WAITING_BYTES = 1_048_576

let isClosed = false
let isFailing = false
let dropped = 0

/**
 * Survives a standard output that ends or fails. If a reader closes it (`| head -1`, EPIPE), printing ends
 * and commands continue. Any other failure, such as a full disk, is reported once on standard error and makes
 * the exit code 1; printing is retried.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') isClosed = true
    else reportFailing(error)
  })
  // Nothing is left to report to.
  process.stderr.on('error', () => {})
}

/** Prints what a command was asked for. */
export function print(text: string): void {
  if (!isClosed) process.stdout.write(text)
}

/** Prints an event, or drops it while the reader does not read; `describeDropped` then says how many were. */
export function printOrDrop(text: string, describeDropped: (count: number) => string): void {
  if (process.stdout.writableLength > MAX_WAITING_BYTES) {
    dropped++
    return
  }
  if (dropped > 0) print(describeDropped(dropped))
  dropped = 0
  print(text)
}

function reportFailing({ code }: NodeJS.ErrnoException): void {
  process.exitCode = 1
  if (isFailing) return
  isFailing = true
  process.stderr.write(
    `error: Standard output cannot be written (${code ?? 'unknown'}).\ncode:  output_failed\nnext:  Free disk space, or redirect the output elsewhere.\n`,
  )
}
