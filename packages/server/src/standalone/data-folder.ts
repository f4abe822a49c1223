import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, openDatabase } from '../adapters/sqlite/database.ts'
import { sqliteUsers } from '../adapters/sqlite/users.ts'
import { createTokens, type IssuedToken, type Tokens } from '../identity/tokens.ts'
import type { System, User, UserStore } from '../ports.ts'
import { type Environment, loadSecret } from './secret.ts'
import { SetupError } from './setup-error.ts'

const DATABASE_FILE = 'bridgekeeper.db'
const EMAIL = /^[^\s@]+@[^\s@]+$/
const MAX_EMAIL_CHARS = 254

/** What one installation keeps: its accounts and the secret behind its tokens. Open until closed. */
export class DataFolder {
  readonly users: UserStore
  readonly tokens: Tokens
  readonly #database: Database
  readonly #system: System

  /**
   * Opens the folder, making it when it is missing. Several processes may have one folder open.
   * @throws SetupError `data_folder_unusable`, or what is wrong with the secret
   */
  constructor(path: string, env: Environment, system: System) {
    this.#system = system
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      chmodSync(path, 0o700)
      this.#database = openDatabase(join(path, DATABASE_FILE))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new SetupError(
        'data_folder_unusable',
        `The data folder ${path} cannot be used: ${why}`,
        'Nothing was changed. Choose another with --data DIR, or mend this one.',
        { cause: error },
      )
    }
    try {
      this.users = sqliteUsers(this.#database)
      this.tokens = createTokens(loadSecret(env, path), this.users, system)
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** @throws SetupError `email_invalid`, `user_exists` */
  async addUser(email: string): Promise<User> {
    if (!EMAIL.test(email) || email.length > MAX_EMAIL_CHARS) {
      throw new SetupError(
        'email_invalid',
        `${JSON.stringify(email)} is no email address.`,
        'Give one like ann@example.com.',
      )
    }
    const userId = `user_${this.#system.randomBytes(12).toString('hex')}`
    const user = await this.users.add({ userId, email, tokenVersion: 0, createdAtMs: this.#system.nowMs() })
    if (user === undefined) {
      throw new SetupError(
        'user_exists',
        `There is a user ${email} already.`,
        `Issue a token: bridgekeeper token issue ${email}`,
      )
    }
    return user
  }

  /** A token for a new login. @throws SetupError `user_unknown` */
  async issueToken(email: string, lifetimeMs: number): Promise<IssuedToken> {
    const user = await this.users.findByEmail(email)
    if (user === undefined) {
      throw new SetupError(
        'user_unknown',
        `There is no user ${email} here.`,
        `Add it: bridgekeeper user add ${email}`,
      )
    }
    return this.tokens.issue(user, lifetimeMs)
  }

  close(): void {
    this.#database.close()
  }
}
