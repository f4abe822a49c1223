import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { sqliteBlocks } from '../adapters/sqlite/blocks.ts'
import { sqliteCallTimes } from '../adapters/sqlite/call-times.ts'
import { type Database, openDatabase } from '../adapters/sqlite/database.ts'
import { sqliteFingerprints } from '../adapters/sqlite/fingerprints.ts'
import { type Outbox, sqliteOutbox } from '../adapters/sqlite/outbox.ts'
import { type Settings, sqliteSettings } from '../adapters/sqlite/settings.ts'
import { sqliteUsers } from '../adapters/sqlite/users.ts'
import type { BridgeStores } from '../bridge-options.ts'
import { canonicalScope } from '../identity/scopes.ts'
import { createTokens, type IssuedToken, type Tokens } from '../identity/tokens.ts'
import type { System, User, UserState, UserStore } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import { OperatorBlocks } from './operator-blocks.ts'
import { derivedKey, type Environment, type KeyPurpose, loadSecret } from './secret.ts'
import { SetupError } from './setup-error.ts'

const DATABASE_FILE = 'bridgekeeper.db'
const SECRET_MARK = 'secret-mark'
const EMAIL = /^[^\s@]+@[^\s@]+$/
const MAX_EMAIL_CHARS = 254

/** What one installation keeps: its accounts, and which secret is behind its tokens. Open until closed. */
export class DataFolder {
  readonly users: UserStore
  readonly blocks: OperatorBlocks
  /** What a bridge keeps here over a restart. */
  readonly stores: Required<BridgeStores>
  /** What this and other processes did and the running node is to log. */
  readonly outbox: Outbox
  readonly #path: string
  readonly #env: Environment
  readonly #system: System
  readonly #database: Database
  readonly #settings: Settings
  #tokens: Tokens | undefined

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
    this.stores = {
      blocks: sqliteBlocks(this.#database, () => system.nowMs()),
      fingerprints: sqliteFingerprints(this.#database),
      callTimes: sqliteCallTimes(this.#database),
    }
    this.blocks = new OperatorBlocks(this.stores, this.users, system, (event) => this.record(event))
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
    this.#tokens = createTokens(secret, this.users, this.#system)
    return this.#tokens
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
    const user = await this.users.add({ userId, email, tokenVersion: 0, createdAtMs, state: 'active' })
    if (user === undefined) {
      throw new SetupError(
        'user_exists',
        `There is a user ${email} already.`,
        `Issue a token: bridgekeeper token issue ${email}`,
      )
    }
    this.record({ event: 'user_added', userId })
    return user
  }

  /** Suspends a user, whose tokens are then refused, or resumes one. @throws SetupError `user_unknown` */
  async setUserState(email: string, state: UserState): Promise<User> {
    const { userId } = await this.#userOf(email)
    const user = this.#changed(email, await this.users.setState(userId, state))
    this.record({ event: state === 'suspended' ? 'user_suspended' : 'user_resumed', userId })
    return user
  }

  /** Ends all tokens that the user has; new ones may be issued. @throws SetupError `user_unknown` */
  async logOutUser(email: string): Promise<User> {
    const { userId } = await this.#userOf(email)
    const user = this.#changed(email, await this.users.raiseTokenVersion(userId))
    this.record({ event: 'user_logged_out', userId })
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
    const claimed = this.#settings.get(SECRET_MARK)
    if (claimed !== undefined && claimed !== secretMark(secret)) {
      throw new SetupError(
        'secret_mismatch',
        'The bridge of this data folder signs with another secret, and would refuse the token.',
        'Set the same JWT_SECRET (or JWT_SECRET_FILE) here as for bridgekeeper serve.',
      )
    }
    const issued = await createTokens(secret, this.users, this.#system).issue(user, lifetimeMs, scopes)
    // Nobody gets a token that is not on record.
    const lifetimeSeconds = Math.ceil(lifetimeMs / 1_000)
    this.record({ event: 'token_issued', userId: user.userId, lifetimeSeconds })
    return issued
  }

  /** Puts an operator's act on record, through whichever node has or gets the log. */
  record(event: SecurityEvent): void {
    this.outbox.add(event, this.#system.nowMs())
  }

  close(): void {
    this.#database.close()
  }

  async #userOf(email: string): Promise<User> {
    return known(email, await this.users.findByEmail(email))
  }

  #changed(email: string, user: User | undefined): User {
    const after = known(email, user)
    this.#tokens?.forget({ kind: 'user', id: after.userId })
    return after
  }
}

function known(email: string, user: User | undefined): User {
  if (user !== undefined) return user
  throw new SetupError(
    'user_unknown',
    `There is no user ${email} here.`,
    `Add it: bridgekeeper user add ${email}`,
  )
}

/** Tells one secret from another and says nothing else about it. */
function secretMark(secret: Buffer): string {
  return createHmac('sha256', secret).update('bridgekeeper secret mark').digest('hex')
}
