import type { Device, DeviceStore, Revocations, SecurityEvent, System, User } from '@bridgekeeper/bridge'
import type { Session, SessionStore } from '@bridgekeeper/bridge/parts'
import { SetupError } from '../config/setup-error.ts'
import type { AccountStore } from '../ports.ts'
import { known } from './users.ts'

const USERS_AT_ONCE = 500

/** What an operator's acts on logins need of an installation. */
export interface LoginStores {
  readonly users: AccountStore
  readonly sessions: SessionStore
  readonly devices: DeviceStore
  readonly revocations: Revocations
}

/** Something of a user, with what the operator knows the user by. */
export type OfUser<T> = T & { readonly email: string }

/** What an operator sees and ends of users' logins and machines, also while nodes run on the same stores. */
export class OperatorLogins {
  readonly #stores: LoginStores
  readonly #system: System
  readonly #record: (event: SecurityEvent) => Promise<void>

  constructor(stores: LoginStores, system: System, record: (event: SecurityEvent) => Promise<void>) {
    this.#stores = stores
    this.#system = system
    this.#record = record
  }

  /** The logins that have not ended, of one user or of all. @throws SetupError `user_unknown` */
  async sessions(email?: string): Promise<readonly OfUser<Session>[]> {
    return this.#ofUsers(email, (userId) => this.#stores.sessions.ofUser(userId))
  }

  /** The machines that are enrolled, of one user or of all. @throws SetupError `user_unknown` */
  async devices(email?: string): Promise<readonly OfUser<Device>[]> {
    return this.#ofUsers(email, (userId) => this.#stores.devices.ofUser(userId))
  }

  /**
   * Ends all logins of a user and revokes all of the user's machines. The user may log in again.
   * @throws SetupError `user_unknown`
   */
  async revokeUser(email: string): Promise<User> {
    const { users, sessions, devices, revocations } = this.#stores
    const { userId } = await this.#userOf(email)
    // First what new tokens would be made of.
    for (const { deviceId } of await devices.ofUser(userId)) await this.#revokeDevice(userId, deviceId)
    for (const { sessionId } of await sessions.ofUser(userId)) await sessions.end(sessionId)
    const user = known(email, await users.raiseTokenVersion(userId))
    await this.#record({ event: 'user_logged_out', userId })
    await revocations.publish({ kind: 'user', id: userId })
    return user
  }

  /** Ends one login. A machine's is the machine's, which is revoked. @throws SetupError `session_unknown` */
  async revokeSession(sessionId: string): Promise<Session> {
    const { sessions, devices } = this.#stores
    const session = await sessions.find(sessionId)
    if (session === undefined) {
      throw new SetupError(
        'session_unknown',
        `There is no login ${JSON.stringify(sessionId)} that has not ended.`,
        'See which there are: bridgekeeper sessions',
      )
    }
    const { userId, kind, deviceId } = session
    const device = deviceId === undefined ? undefined : await devices.find(deviceId)
    if (device !== undefined) await this.#revokeDevice(userId, device.deviceId)
    await sessions.end(sessionId)
    await this.#record({ event: 'session_ended', userId, kind, reason: 'ended_by_admin' })
    return session
  }

  /** Revokes a machine; its key is never enrolled again. @throws SetupError `device_unknown` */
  async revokeDevice(deviceId: string): Promise<Device> {
    const device = await this.#stores.devices.find(deviceId)
    if (device === undefined) {
      throw new SetupError(
        'device_unknown',
        `There is no machine ${JSON.stringify(deviceId)} that is enrolled.`,
        'See which there are: bridgekeeper devices',
      )
    }
    await this.#revokeDevice(device.userId, deviceId)
    await this.#stores.sessions.end(device.sessionId)
    return device
  }

  async #revokeDevice(userId: string, deviceId: string): Promise<void> {
    // Of two who revoke it at once, one did.
    if (await this.#stores.devices.revoke(deviceId, this.#system.nowMs()))
      await this.#record({ event: 'device_revoked', userId, deviceId })
  }

  async #ofUsers<T>(
    email: string | undefined,
    find: (userId: string) => Promise<readonly T[]>,
  ): Promise<readonly OfUser<T>[]> {
    const found: OfUser<T>[] = []
    const take = async (user: User): Promise<void> => {
      for (const one of await find(user.userId)) found.push({ ...one, email: user.email })
    }
    if (email !== undefined) await take(await this.#userOf(email))
    else for await (const user of this.#allUsers()) await take(user)
    return found
  }

  async *#allUsers(): AsyncGenerator<User> {
    let after = ''
    for (;;) {
      const users = await this.#stores.users.list(after, USERS_AT_ONCE)
      yield* users
      const last = users.at(-1)
      if (last === undefined || users.length < USERS_AT_ONCE) return
      after = last.email
    }
  }

  async #userOf(email: string): Promise<User> {
    return known(email, await this.#stores.users.findByEmail(email))
  }
}
