import type { SecurityLog } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'

/**
 * Hands each event to a function, as an object: for apps with a log of their own, and for tests. Should it
 * throw, the event is lost and the bridge goes on: a log must not end what it watches.
 */
export function callbackLog(receive: (event: SecurityEvent) => void): SecurityLog {
  function logSecurityEvent(event: SecurityEvent): void {
    try {
      receive(event)
    } catch {
      // Whoever receives events reports its own faults.
    }
  }
  return { logSecurityEvent, afterWritten: (run) => run(), writable: true }
}
