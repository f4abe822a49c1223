import type { SecurityLog } from '../../ports.ts'
import type { SecurityEvent } from '../../security-log/events.ts'

/** Hands each event to a function, as an object: for apps with a log of their own, and for tests. */
export function callbackLog(receive: (event: SecurityEvent) => void): SecurityLog {
  return { logSecurityEvent: receive, afterWritten: (run) => run(), writable: true }
}
