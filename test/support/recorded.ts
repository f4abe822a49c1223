import { callbackLog, type EventName, type SecurityEvent, type SecurityLog } from '@bridgekeeper/bridge'

/** A security log whose events a test can read. */
export class Recorded {
  readonly events: SecurityEvent[] = []
  readonly securityLog: SecurityLog = callbackLog((event) => this.events.push(event))

  named(name: EventName): readonly SecurityEvent[] {
    return this.events.filter(({ event }) => event === name)
  }

  get names(): readonly EventName[] {
    return this.events.map(({ event }) => event)
  }
}
