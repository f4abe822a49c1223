import type { User } from '@bridgekeeper/bridge'
import type { Actor } from '../ports.ts'
import type { DeviceOperations } from './devices.ts'
import type { OperationParts } from './parts.ts'
import { known } from './users.ts'

/** Actions that end the logins of one user. */
export class RevocationOperations {
  readonly #parts: OperationParts
  readonly #deviceOperations: DeviceOperations

  constructor(parts: OperationParts, deviceOperations: DeviceOperations) {
    this.#parts = parts
    this.#deviceOperations = deviceOperations
  }

  /** Ends all tokens and logins of a user. Enrolled machines stay and log in again. @throws SetupError `user_unknown` */
  async logOut({ userId }: Pick<User, 'userId'>, actor: Actor): Promise<User> {
    return this.#endLogins(userId, false, actor)
  }

  /** Ends all logins of a user and revokes all of the user's machines. @throws SetupError `user_unknown` */
  async revokeUser({ userId }: Pick<User, 'userId'>, actor: Actor): Promise<User> {
    // Revokes machines first: their keys could get new tokens.
    for (const device of await this.#parts.devices.ofUser(userId))
      await this.#deviceOperations.revoke(device, actor)
    return this.#endLogins(userId, true, actor)
  }

  async #endLogins(userId: string, ofDevices: boolean, actor: Actor): Promise<User> {
    const { users, sessions, log, revoke } = this.#parts
    const user = known(userId, await users.raiseTokenVersion(userId))
    await log.logSecurityEvent({ event: 'user_logged_out', userId, ...actor })
    for (const session of await sessions.ofUser(userId))
      if (ofDevices || session.kind !== 'device') await sessions.remove(session, 'ended_by_admin', actor)
    await revoke({ kind: 'user', id: userId })
    return user
  }
}
