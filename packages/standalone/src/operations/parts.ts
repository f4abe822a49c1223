import type { DeviceStore, Revocation, System } from '@bridgekeeper/bridge'
import type { Passwords } from '../passwords/passwords.ts'
import type { AccountStore, Actor, EventRecorder } from '../ports.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'

/** Parts that acts on accounts need, in a command as in a node. */
export interface OperationParts {
  readonly users: AccountStore
  readonly sessions: LoginSessions
  readonly devices: DeviceStore
  readonly passwords: Passwords
  /** Closes all its connections, on every node within a second. Rejects if the store is unavailable. */
  readonly revoke: (revocation: Revocation) => Promise<void>
  readonly log: EventRecorder
  readonly system: System
}

/** An operator at the command line. */
export const OPERATOR: Actor = { by: 'operator' }
