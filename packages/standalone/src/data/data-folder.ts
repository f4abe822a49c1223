import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { SecurityEvent, System, Tokens } from '@bridgekeeper/bridge'
import { createTokens, type Environment, type Recall } from '@bridgekeeper/bridge/parts'
import type { Stores } from '../adapters/sql/open.ts'
import type { Outbox } from '../adapters/sql/outbox.ts'
import { SetupError } from '../config/setup-error.ts'
import { type Operations, operationsOn } from '../operations/operations.ts'
import type { AccountStore } from '../ports.ts'
import { folderUnusable, openDatabase } from './database.ts'
import { demandTrusted } from './file-rights.ts'
import { derivedKey, type KeyPurpose, loadSecret } from './secret.ts'

const SECRET_MARK = 'secret-mark'

/** State of one installation: its stores, and the secret that signs its tokens. */
export class DataFolder {
  /** All stores, including those of the bridge. */
  readonly stores: Stores
  readonly users: AccountStore
  /** Actions of operators, also while nodes run on the same stores. */
  readonly operations: Operations
  /** Events of this and other processes that the running node must log. */
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
    this.outbox = stores.outbox
    this.operations = operationsOn({
      stores,
      revoke: async (revocation) => {
        this.#tokens?.forget(revocation)
        await stores.revocations.publish(revocation)
      },
      log: { logSecurityEvent: (event) => this.record(event) },
      tokens: () => this.#tokensOfBridge(),
      system,
    })
  }

  /**
   * Opens the folder, which it creates if missing, and the database: that of `DATABASE_URL`, else the one in
   * the folder. Several processes may open the same folder and database.
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
   * @param recalled cache shared with other verifiers; the first call decides
   * @throws SetupError if the secret is invalid
   */
  tokens(recalled?: Recall): Tokens {
    const { users, sessions } = this.stores
    this.#tokens ??= createTokens(loadSecret(this.#env, this.#path), users, this.#system, sessions, recalled)
    return this.#tokens
  }

  /**
   * Marks this process's secret as the one of the bridge; commands with another secret then refuse to issue
   * tokens. Call it only for a node.
   * @throws SetupError if the secret is invalid
   */
  async claim(): Promise<Tokens> {
    const tokens = this.tokens()
    await this.stores.settings.set(SECRET_MARK, secretMark(loadSecret(this.#env, this.#path)))
    return tokens
  }

  /**
   * Derives a key for one purpose from this folder's secret.
   * @throws SetupError if the secret is invalid
   */
  keyFor(purpose: KeyPurpose): Uint8Array {
    return derivedKey(loadSecret(this.#env, this.#path), purpose)
  }

  /** Records an operator's action in the outbox; the node that has the log open writes it there. */
  async record(event: SecurityEvent): Promise<void> {
    await this.outbox.add(event, this.#system.nowMs())
  }

  async close(): Promise<void> {
    await this.stores.close()
  }

  /** @throws SetupError `secret_mismatch`, or if the secret is invalid */
  async #tokensOfBridge(): Promise<Tokens> {
    const secret = loadSecret(this.#env, this.#path)
    const claimed = await this.stores.settings.get(SECRET_MARK)
    if (claimed === undefined || claimed === secretMark(secret)) return this.tokens()
    throw new SetupError(
      'secret_mismatch',
      'The bridge of this data folder uses another JWT secret, and would refuse the token.',
      'Set the same JWT_SECRET (or JWT_SECRET_FILE) here as for bridgekeeper serve.',
    )
  }
}

/** Identifies a secret without revealing it. */
function secretMark(secret: Buffer): string {
  return createHmac('sha256', secret).update('bridgekeeper secret mark').digest('hex')
}
