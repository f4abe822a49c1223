import type { User, UserState } from '@bridgekeeper/bridge'
import type { UserRole } from '@bridgekeeper/bridge/parts'
import { SetupError } from '../config/setup-error.ts'
import type { Actor } from '../ports.ts'
import type { OperationParts } from './parts.ts'

const EMAIL = /^[^\s@]+@[^\s@]+$/
export const MAX_EMAIL_CHARS = 254
const USERS_AT_ONCE = 500

/** A page of the list of users. */
export interface UserPage {
  readonly users: readonly User[]
  /** The email after which the next page begins; `undefined` on the last one. */
  readonly nextAfter?: string | undefined
}

/** A user id that may no longer exist. */
type Target = Pick<User, 'userId'>

/** Actions on users. Each rejects while the store is down. */
export class UserOperations {
  readonly #parts: OperationParts

  constructor(parts: OperationParts) {
    this.#parts = parts
  }

  /** The user with this email. @throws SetupError `user_unknown` */
  async find(email: string): Promise<User> {
    return known(email, await this.#parts.users.findByEmail(email))
  }

  /** Users by email, from the first one after `afterEmail`; `''` begins. */
  async list(afterEmail: string, limit: number): Promise<UserPage> {
    const found = await this.#parts.users.list(afterEmail, limit + 1)
    const users = found.slice(0, limit)
    return { users, nextAfter: found.length > limit ? users.at(-1)?.email : undefined }
  }

  /** Every user, by email. Reads a few hundred at a time. */
  async *all(): AsyncGenerator<User> {
    let page: UserPage = { users: [], nextAfter: '' }
    while (page.nextAfter !== undefined) {
      page = await this.list(page.nextAfter, USERS_AT_ONCE)
      yield* page.users
    }
  }

  /** @throws SetupError `email_invalid`, `user_exists` */
  async add(email: string, actor: Actor): Promise<User> {
    if (!EMAIL.test(email) || email.length > MAX_EMAIL_CHARS) {
      throw new SetupError(
        'email_invalid',
        `${JSON.stringify(email)} is not an email address.`,
        'Use an address like ann@example.com.',
      )
    }
    const user = await this.addNew(email, actor)
    if (user !== undefined) return user
    throw new SetupError(
      'user_exists',
      `The user ${email} exists already.`,
      `Issue a token: bridgekeeper token issue ${email}`,
    )
  }

  /**
   * Adds a user whose email a provider verified.
   * @param actor without one, the user is recorded as the one who acted
   * @returns `undefined` if the email is taken
   */
  async addNew(email: string, actor: Partial<Actor>): Promise<User | undefined> {
    const { users, system, log } = this.#parts
    const user = await users.add({
      userId: `user_${system.randomBytes(12).toString('hex')}`,
      email,
      tokenVersion: 0,
      createdAtMs: system.nowMs(),
      state: 'active',
      role: 'user',
    })
    if (user === undefined) return undefined
    const { userId } = user
    await log.logSecurityEvent({ event: 'user_added', userId, by: userId, ...actor })
    return user
  }

  /**
   * Refuses the user's tokens until the user is resumed, and ends everything that the user has open. @throws
   * SetupError `user_unknown`
   */
  async suspend({ userId }: Target, actor: Actor): Promise<User> {
    const user = await this.#setState(userId, 'suspended')
    await this.#parts.log.logSecurityEvent({ event: 'user_suspended', userId, ...actor })
    await this.#parts.revoke({ kind: 'user', id: userId })
    return user
  }

  /** Accepts the tokens of a suspended user again. @throws SetupError `user_unknown` */
  async resume({ userId }: Target, actor: Actor): Promise<User> {
    const user = await this.#setState(userId, 'active')
    await this.#parts.log.logSecurityEvent({ event: 'user_resumed', userId, ...actor })
    return user
  }

  /** Lets the user manage other users, or not. @throws SetupError `user_unknown` */
  async setRole({ userId }: Target, role: UserRole, actor: Actor): Promise<User> {
    const user = known(userId, await this.#parts.users.setRole(userId, role))
    await this.#parts.log.logSecurityEvent({ event: 'user_role_changed', userId, role, ...actor })
    return user
  }

  /** Deletes the user and all their data, and closes their connections. A second call revokes once more. */
  async remove(user: User, actor: Actor): Promise<User> {
    const { users, log, revoke } = this.#parts
    const { userId } = user
    if (await users.remove(userId)) await log.logSecurityEvent({ event: 'user_deleted', userId, ...actor })
    await revoke({ kind: 'user', id: userId })
    return user
  }

  async #setState(userId: string, state: UserState): Promise<User> {
    return known(userId, await this.#parts.users.setState(userId, state))
  }
}

/**
 * @param name requested email or id
 * @throws SetupError `user_unknown`
 */
export function known(name: string, user: User | undefined): User {
  if (user !== undefined) return user
  throw new SetupError(
    'user_unknown',
    `The user ${name} does not exist.`,
    name.includes('@')
      ? `Add the user: bridgekeeper user add ${name}`
      : 'List the users: bridgekeeper user list',
  )
}
