import type { Revocation, System, Tokens } from '@bridgekeeper/bridge'
import type { Stores } from '../adapters/sql/open.ts'
import { Passwords } from '../passwords/passwords.ts'
import type { EventRecorder } from '../ports.ts'
import { LoginSessions } from '../sessions/login-sessions.ts'
import { BlockOperations } from './blocks.ts'
import { DeviceOperations } from './devices.ts'
import type { OperationParts } from './parts.ts'
import { PasswordOperations } from './passwords.ts'
import { RevocationOperations } from './revocations.ts'
import { SessionOperations } from './sessions.ts'
import { TokenOperations } from './tokens.ts'
import { UserOperations } from './users.ts'

/** Every act on accounts, of an operator and of the pages. Each one records who acted. */
export interface AccountOperations {
  readonly users: UserOperations
  readonly passwords: PasswordOperations
  readonly sessions: SessionOperations
  readonly devices: DeviceOperations
  readonly revocations: RevocationOperations
}

/** Every act of an operator. */
export interface Operations extends AccountOperations {
  readonly tokens: TokenOperations
  readonly blocks: BlockOperations
}

export interface OperationsOptions {
  readonly stores: Stores
  readonly revoke: (revocation: Revocation) => Promise<void>
  readonly log: EventRecorder
  readonly tokens: () => Promise<Tokens>
  readonly system: System
}

/** The acts of a command on an installation's stores. */
export function operationsOn({ stores, tokens, ...common }: OperationsOptions): Operations {
  const sessions = new LoginSessions({ ...common, sessions: stores.sessions })
  const passwords = new Passwords(stores.credentials, common.system)
  const { users, devices } = stores
  const accounts = accountOperations({ ...common, users, sessions, devices, passwords })
  return {
    ...accounts,
    tokens: new TokenOperations({ ...common, sessions, tokens }, accounts.users),
    blocks: new BlockOperations({ ...common, ...stores }),
  }
}

/** The acts that the pages share with commands. */
export function accountOperations(parts: OperationParts): AccountOperations {
  const users = new UserOperations(parts)
  const deviceOperations = new DeviceOperations(parts, users)
  return {
    users,
    passwords: new PasswordOperations(parts),
    sessions: new SessionOperations(parts, users, deviceOperations),
    devices: deviceOperations,
    revocations: new RevocationOperations(parts, deviceOperations),
  }
}
