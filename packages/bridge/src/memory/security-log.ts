import type { SecurityLog } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'

/**
 * Passes each event to a function as an object, for apps with their own log and for tests. If the function
 * throws, the event is lost and the bridge continues.
 */
export function callbackLog(receive: (event: SecurityEvent) => void): SecurityLog {
  function logSecurityEvent(event: SecurityEvent): void {
    try {
      receive(event)
    } catch {
      // The receiver reports its own faults.
    }
  }
  return { logSecurityEvent, afterWritten: (run) => run(), writable: true }
}
