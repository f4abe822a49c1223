import type { Writable } from 'node:stream'
import type { System } from '../ports.ts'

/** Receives copies of log lines beside the file. Neither throws nor waits. */
export interface LineSink {
  write(line: string): void
  /** Resolves once all lines are written, or cannot be. */
  close(): Promise<void>
}

const BATCH_MS = 50
/** Bytes that may wait for a slow reader; further lines are dropped. */
const MAX_WAITING_BYTES = 1_048_576
const CLOSE_MS = 1_000

/**
 * Copies lines to a stream, such as standard output, within 50 ms. A reader that stops or disappears blocks
 * nothing: lines are dropped, and `{"dropped":N}` replaces them once it reads again. A paused terminal can
 * still block, since Node writes to terminals synchronously.
 */
export function streamSink(stream: Writable, system: System): LineSink {
  let lines = ''
  let dropped = 0
  let flushIsDue = false
  let broken = false
  stream.on('error', () => {
    broken = true
  })

  function write(line: string): void {
    if (broken) return
    if (lines.length + stream.writableLength + line.length > MAX_WAITING_BYTES) {
      dropped += 1
      return
    }
    if (dropped > 0) {
      lines += `{"dropped":${dropped}}\n`
      dropped = 0
    }
    lines += line
    if (flushIsDue) return
    flushIsDue = true
    system.after(BATCH_MS, flush)
  }

  function flush(): void {
    flushIsDue = false
    if (lines === '' || broken) return
    stream.write(lines, 'latin1')
    lines = ''
  }

  function close(): Promise<void> {
    flush()
    if (broken || stream.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = system.after(CLOSE_MS, resolve)
      stream.write('', () => {
        cancel()
        resolve()
      })
    })
  }

  return { write, close }
}
