import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, openDatabase } from '../adapters/sqlite/database.ts'
import { type Outbox, sqliteOutbox } from '../adapters/sqlite/outbox.ts'
import { type Settings, sqliteSettings } from '../adapters/sqlite/settings.ts'
import { sqliteUsers } from '../adapters/sqlite/users.ts'
import { createTokens, type IssuedToken, type Tokens } from '../identity/tokens.ts'
import type { System, User, UserStore } from '../ports.ts'
import { anchorKeyOf, type Environment, loadSecret } from './secret.ts'
import { SetupError } from './setup-error.ts'

const DATABASE_FILE = 'bridgekeeper.db'
const SECRET_MARK = 'secret-mark'
const EMAIL = /^[^\s@]+@[^\s@]+$/
const MAX_EMAIL_CHARS = 254

/** What one installation keeps: its accounts, and which secret is behind its tokens. Open until closed. */
export class DataFolder {
  readonly users: UserStore
  /** What this and other processes did and the running node is to log. */
  readonly outbox: Outbox
  readonly #path: string
  readonly #env: Environment
  readonly #system: System
  readonly #database: Database
  readonly #settings: Settings

  /**
   * Opens the folder, making it when it is missing. Several processes may have one folder open.
   * @throws SetupError `data_folder_unusable`
   */
  constructor(path: string, env: Environment, system: System) {
    this.#path = path
    this.#env = env
    this.#system = system
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
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
    this.users = sqliteUsers(this.#database)
    this.#settings = sqliteSettings(this.#database)
    this.outbox = sqliteOutbox(this.#database)
  }

  /**
   * For the bridge itself: its tokens, and from now on the secret that they are signed with is that of
   * this folder.
   * @throws SetupError what is wrong with the secret
   */
  claim(): Tokens {
    const secret = loadSecret(this.#env, this.#path)
    this.#settings.set(SECRET_MARK, secretMark(secret))
    return createTokens(secret, this.users, this.#system)
  }

  /**
   * The key of the security log's anchor.
   * @throws SetupError what is wrong with the secret
   */
  anchorKey(): Uint8Array {
    return anchorKeyOf(loadSecret(this.#env, this.#path))
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
    this.outbox.add({ event: 'user_added', userId }, this.#system.nowMs())
    return user
  }

  /**
   * A token for a new login.
   * @throws SetupError `user_unknown`, `secret_mismatch`, or what is wrong with the secret
   */
  async issueToken(email: string, lifetimeMs: number): Promise<IssuedToken> {
    const user = await this.users.findByEmail(email)
    if (user === undefined) {
      throw new SetupError(
        'user_unknown',
        `There is no user ${email} here.`,
        `Add it: bridgekeeper user add ${email}`,
      )
    }
    const secret = loadSecret(this.#env, this.#path)
    const claimed = this.#settings.get(SECRET_MARK)
    if (claimed !== undefined && claimed !== secretMark(secret)) {
      throw new SetupError(
        'secret_mismatch',
        'The bridge of this data folder signs with another secret, and would refuse the token.',
        'Set the same JWT_SECRET (or JWT_SECRET_FILE) here as for bridgekeeper serve.',
      )
    }
    const issued = await createTokens(secret, this.users, this.#system).issue(user, lifetimeMs)
    // Nobody gets a token that is not on record.
    const lifetimeSeconds = Math.ceil(lifetimeMs / 1_000)
    this.outbox.add({ event: 'token_issued', userId: user.userId, lifetimeSeconds }, this.#system.nowMs())
    return issued
  }

  close(): void {
    this.#database.close()
  }
}

/** Tells one secret from another and says nothing else about it. */
function secretMark(secret: Buffer): string {
  return createHmac('sha256', secret).update('bridgekeeper secret mark').digest('hex')
}
