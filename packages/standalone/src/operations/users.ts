import type { SecurityEvent, System, User } from '@bridgekeeper/bridge'
import type { UserRole } from '@bridgekeeper/bridge/parts'
import type { Stores } from '../adapters/sql/open.ts'
import { SetupError } from '../config/setup-error.ts'
import { passwordProblem } from '../passwords/password-rules.ts'
import { Passwords } from '../passwords/passwords.ts'

type AccountStores = Pick<Stores, 'users' | 'credentials' | 'sessions'>

/** What an operator does with accounts, also while a node runs; each act is put on record. */
export class OperatorAccounts {
  readonly #stores: AccountStores
  readonly #system: System
  readonly #record: (event: SecurityEvent) => Promise<void>

  constructor(stores: AccountStores, system: System, record: (event: SecurityEvent) => Promise<void>) {
    this.#stores = stores
    this.#system = system
    this.#record = record
  }

  /** Whether it may be this account's, before anything is done. @throws SetupError `password_refused` */
  checkPassword(email: string, password: string): void {
    const problem = passwordProblem(password, email)
    if (problem === undefined) return
    throw new SetupError('password_refused', `The password was not taken. ${problem}`, 'Choose another.')
  }

  /** Sets it, and ends the user's logins in browsers. @throws SetupError `user_unknown`, `password_refused` */
  async setPassword(email: string, password: string): Promise<User> {
    const user = await this.#userOf(email)
    this.checkPassword(user.email, password)
    await new Passwords(this.#stores.credentials, this.#system).set(user.userId, password)
    await this.#record({ event: 'password_changed', userId: user.userId })
    for (const { sessionId, kind } of await this.#stores.sessions.ofUser(user.userId)) {
      if (kind === 'browser') await this.#stores.sessions.end(sessionId)
    }
    return user
  }

  /** @throws SetupError `user_unknown` */
  async setRole(email: string, role: UserRole): Promise<User> {
    const { userId } = await this.#userOf(email)
    const user = known(email, await this.#stores.users.setRole(userId, role))
    await this.#record({ event: 'user_role_changed', userId, role })
    return user
  }

  /** With all that is the user's; what is open of it ends. @throws SetupError `user_unknown` */
  async remove(email: string): Promise<User> {
    const user = await this.#userOf(email)
    if (await this.#stores.users.remove(user.userId))
      await this.#record({ event: 'user_deleted', userId: user.userId })
    return user
  }

  async #userOf(email: string): Promise<User> {
    return known(email, await this.#stores.users.findByEmail(email))
  }
}

/** @throws SetupError `user_unknown` */
export function known(email: string, user: User | undefined): User {
  if (user !== undefined) return user
  throw new SetupError(
    'user_unknown',
    `There is no user ${email} here.`,
    `Add it: bridgekeeper user add ${email}`,
  )
}
