import type { Writable } from 'node:stream'
import type { SecurityLog, System } from '../ports.ts'
import { lineBody } from './line.ts'
import { streamSink } from './stream-sink.ts'

/**
 * Writes lines to a stream and stores nothing, for apps whose standard output is collected. Without a file
 * there is no hash chain, and an unread stream drops lines and reports how many.
 */
export function streamLog(stream: Writable, system: System): SecurityLog {
  const sink = streamSink(stream, system)
  return {
    logSecurityEvent(event) {
      const body = lineBody(event, new Date(system.nowMs()).toISOString())
      if (body !== undefined) sink.write(`${body}}\n`)
    },
    afterWritten: (run) => run(),
    writable: true,
  }
}
