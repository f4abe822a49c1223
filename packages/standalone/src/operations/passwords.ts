import type { User } from '@bridgekeeper/bridge'
import { SetupError } from '../config/setup-error.ts'
import { passwordProblem } from '../passwords/password-rules.ts'
import type { Actor } from '../ports.ts'
import type { OperationParts } from './parts.ts'

/** Actions on passwords. */
export class PasswordOperations {
  readonly #parts: OperationParts

  constructor(parts: OperationParts) {
    this.#parts = parts
  }

  /** Checks a password without storing it. @throws SetupError `password_refused` */
  check(email: string, password: string): void {
    const problem = passwordProblem(password, email)
    if (problem === undefined) return
    throw new SetupError('password_refused', `The password was refused. ${problem}`, 'Choose another.')
  }

  /**
   * Sets a password. The caller decides which sessions end.
   * @param asker key of the user's address, which takes turns with others
   * @throws SetupError `password_refused`, PasswordsBusy
   */
  async set(user: User, password: string, actor: Actor, asker?: string): Promise<User> {
    const { passwords, log } = this.#parts
    this.check(user.email, password)
    await passwords.set(user.userId, password, asker)
    await log.logSecurityEvent({ event: 'password_changed', userId: user.userId, ...actor })
    return user
  }

  /** Sets another user's password and ends that user's logins in browsers. @throws SetupError `password_refused` */
  async reset(user: User, password: string, actor: Actor): Promise<User> {
    const { sessions } = this.#parts
    await this.set(user, password, actor)
    for (const session of await sessions.ofUser(user.userId))
      if (session.kind === 'browser') await sessions.endFor(session, 'ended_by_admin', actor)
    return user
  }
}
