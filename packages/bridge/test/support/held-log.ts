import type { SecurityLog } from '../../src/ports.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

/** A log that holds its writes until the test releases them. */
export class HeldLog implements SecurityLog {
  writable = true
  holds = false
  readonly events: (SecurityEvent & { more?: boolean })[] = []
  readonly held: (() => void)[] = []
  logSecurityEvent = (event: SecurityEvent, more?: boolean): void => {
    this.events.push(more === undefined ? event : { ...event, more })
  }
  afterWritten = (run: () => void): void => void (this.holds ? this.held.push(run) : run())

  named(name: string) {
    return this.events.filter(({ event }) => event === name)
  }
}
