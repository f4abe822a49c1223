import type { DeviceStore, Revocation } from '@bridgekeeper/bridge'
import type { FrontDoor } from '@bridgekeeper/bridge/parts'
import type { BrowserSessionParts, BrowserSessions } from '../browser/browser-sessions.ts'
import type { AccountOperations } from '../operations/operations.ts'
import type { Passwords } from '../passwords/passwords.ts'
import type { AccountStore, CredentialStore } from '../ports.ts'
import type { LoginLimits } from './login-limits.ts'
import type { Totp } from './totp.ts'

/** Parts of a node that the account pages need. */
export interface AccountParts extends BrowserSessionParts {
  readonly users: AccountStore
  readonly credentials: CredentialStore
  readonly devices: DeviceStore
  readonly door: FrontDoor
  /** Ends everything that it has open: at once on this node, within a second on others. */
  readonly revoke: (revocation: Revocation) => Promise<void>
}

/** The account parts and what the pages derive from them. */
export interface Pages extends AccountParts {
  readonly browserSessions: BrowserSessions
  readonly limits: LoginLimits
  readonly passwords: Passwords
  readonly totp: Totp
  readonly operations: AccountOperations
}
