import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import {
  createTokens,
  type IssuedToken,
  type SecurityEvent,
  type System,
  type Tokens,
  type User,
  type UserState,
} from '@bridgekeeper/bridge'
import { canonicalScope, type Environment, type Recall } from '@bridgekeeper/bridge/parts'
import type { Stores } from '../adapters/sql/open.ts'
import type { Outbox } from '../adapters/sql/outbox.ts'
import { SetupError } from '../config/setup-error.ts'
import { OperatorBlocks } from '../operations/blocks.ts'
import { OperatorLogins } from '../operations/logins.ts'
import { known, OperatorAccounts } from '../operations/users.ts'
import type { AccountStore } from '../ports.ts'
import { folderUnusable, openDatabase } from './database.ts'
import { demandTrusted } from './file-rights.ts'
import { derivedKey, type KeyPurpose, loadSecret } from './secret.ts'

const SECRET_MARK = 'secret-mark'
const EMAIL = /^[^\s@]+@[^\s@]+$/
const MAX_EMAIL_CHARS = 254

/** What one installation keeps: its accounts, and which secret is behind its tokens. Open until closed. */
export class DataFolder {
  /** All that it keeps; a bridge's own stores are among them. */
  readonly stores: Stores
  readonly users: AccountStore
  readonly blocks: OperatorBlocks
  readonly accounts: OperatorAccounts
  readonly logins: OperatorLogins
  /** What this and other processes did and the running node is to log. */
  readonly outbox: Outbox
  readonly #path: string
  readonly #env: Environment
  readonly #system: System
  #tokens: Tokens | undefined

  private constructor(path: string, env: Environment, system: System, stores: Stores) {
    this.#path = path
    this.#env = env
    this.#system = system
    this.stores = stores
    this.users = stores.users
    this.blocks = new OperatorBlocks(stores, this.users, system, (event) => this.record(event))
    this.accounts = new OperatorAccounts(stores, system, (event) => this.record(event))
    this.logins = new OperatorLogins(stores, system, (event) => this.record(event))
    this.outbox = stores.outbox
  }

  /**
   * Opens the folder, making it when it is missing, and the database in it, or the one of `DATABASE_URL`.
   * Several processes may have one folder, and one database, open.
   * @throws SetupError `data_folder_unusable`, `rights_unsafe`, `database_unusable`, `database_newer`
   */
  static async open(path: string, env: Environment, system: System): Promise<DataFolder> {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw folderUnusable(path, error)
    }
    demandTrusted(path)
    return new DataFolder(path, env, system, await openDatabase(path, env, system))
  }

  /**
   * The bridge's tokens.
   * @param recalled shared with whoever else verifies tokens of the bridge; of the first call counts
   * @throws SetupError what is wrong with the secret
   */
  tokens(recalled?: Recall): Tokens {
    const { users, sessions } = this.stores
    this.#tokens ??= createTokens(loadSecret(this.#env, this.#path), users, this.#system, sessions, recalled)
    return this.#tokens
  }

  /**
   * For the bridge itself: from now on the secret that tokens are signed with is that of this folder.
   * @throws SetupError what is wrong with the secret
   */
  async claim(): Promise<Tokens> {
    const tokens = this.tokens()
    await this.stores.settings.set(SECRET_MARK, secretMark(loadSecret(this.#env, this.#path)))
    return tokens
  }

  /**
   * A key for one purpose, made of this folder's secret.
   * @throws SetupError what is wrong with the secret
   */
  keyFor(purpose: KeyPurpose): Uint8Array {
    return derivedKey(loadSecret(this.#env, this.#path), purpose)
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
    const createdAtMs = this.#system.nowMs()
    const user = await this.users.add({
      userId,
      email,
      tokenVersion: 0,
      createdAtMs,
      state: 'active',
      role: 'user',
    })
    if (user === undefined) {
      throw new SetupError(
        'user_exists',
        `There is a user ${email} already.`,
        `Issue a token: bridgekeeper token issue ${email}`,
      )
    }
    await this.record({ event: 'user_added', userId })
    return user
  }

  /** Suspends a user, whose tokens are then refused, or resumes one. @throws SetupError `user_unknown` */
  async setUserState(email: string, state: UserState): Promise<User> {
    const { userId } = await this.#userOf(email)
    const user = this.#changed(email, await this.users.setState(userId, state))
    await this.record({ event: state === 'suspended' ? 'user_suspended' : 'user_resumed', userId })
    if (state === 'suspended') await this.#tellBridges(userId)
    return user
  }

  /** Ends all tokens that the user has; new ones may be issued. @throws SetupError `user_unknown` */
  async logOutUser(email: string): Promise<User> {
    const { userId } = await this.#userOf(email)
    const user = this.#changed(email, await this.users.raiseTokenVersion(userId))
    for (const { sessionId, kind } of await this.stores.sessions.ofUser(userId)) {
      // A device's login ends with the device.
      if (kind !== 'device') await this.stores.sessions.end(sessionId)
    }
    await this.record({ event: 'user_logged_out', userId })
    await this.#tellBridges(userId)
    return user
  }

  /**
   * A token for a new login.
   * @param scopes what it allows; everything unless given
   * @throws SetupError `user_unknown`, `scope_invalid`, `secret_mismatch`, or what is wrong with the secret
   */
  async issueToken(email: string, lifetimeMs: number, scopes?: readonly string[]): Promise<IssuedToken> {
    const unreadable = scopes?.find((scope) => canonicalScope(scope) === undefined)
    if (unreadable !== undefined || scopes?.length === 0) {
      throw new SetupError(
        'scope_invalid',
        `${JSON.stringify(unreadable ?? '')} is no scope.`,
        'There are agent:connect, tools:list and tools:call:<server>/<tool>, with * for any server or tool.',
      )
    }
    const user = await this.#userOf(email)
    const secret = loadSecret(this.#env, this.#path)
    const claimed = await this.stores.settings.get(SECRET_MARK)
    if (claimed !== undefined && claimed !== secretMark(secret)) {
      throw new SetupError(
        'secret_mismatch',
        'The bridge of this data folder signs with another secret, and would refuse the token.',
        'Set the same JWT_SECRET (or JWT_SECRET_FILE) here as for bridgekeeper serve.',
      )
    }
    const issued = await this.tokens().issue(user, lifetimeMs, scopes)
    // Nobody gets a token that is not on record.
    const lifetimeSeconds = Math.ceil(lifetimeMs / 1_000)
    await this.record({ event: 'token_issued', userId: user.userId, lifetimeSeconds })
    return issued
  }

  /** Puts an operator's act on record, through whichever node has or gets the log. */
  async record(event: SecurityEvent): Promise<void> {
    await this.outbox.add(event, this.#system.nowMs())
  }

  async close(): Promise<void> {
    await this.stores.close()
  }

  async #userOf(email: string): Promise<User> {
    return known(email, await this.users.findByEmail(email))
  }

  #changed(email: string, user: User | undefined): User {
    const after = known(email, user)
    this.#tokens?.forget({ kind: 'user', id: after.userId })
    return after
  }

  /** They end what is open of the user. */
  async #tellBridges(userId: string): Promise<void> {
    await this.stores.revocations.publish({ kind: 'user', id: userId })
  }
}

/** Tells one secret from another and says nothing else about it. */
function secretMark(secret: Buffer): string {
  return createHmac('sha256', secret).update('bridgekeeper secret mark').digest('hex')
}
