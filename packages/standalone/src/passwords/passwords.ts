import type { System } from '@bridgekeeper/bridge'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import type { CredentialStore } from '../ports.ts'
import { FairTurns } from './fair-turns.ts'
import { normalPassword } from './password-rules.ts'

/** Argon2id with 19 MiB, two passes and one lane. Source: OWASP Password Storage Cheat Sheet. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** Each hash uses 19 MiB and a thread of the pool that also serves files and DNS. */
export const MAX_AT_ONCE = 2
export const MAX_WAITING = 64
/** Upper bound of any stored password's length. */
const MAX_GUESS_CHARS = 1_024

/** Too many passwords wait to be checked. */
export class PasswordsBusy extends Error {
  override readonly name = 'PasswordsBusy'
}

/** Passwords, stored as slow hashes. Rejects if the store is unavailable. */
export class Passwords {
  readonly #credentials: CredentialStore
  readonly #system: System
  readonly #turns = new FairTurns(
    { maxAtOnce: MAX_AT_ONCE, maxWaiting: MAX_WAITING },
    () => new PasswordsBusy('Too many passwords are being checked.'),
  )
  #decoy: Promise<string> | undefined

  constructor(credentials: CredentialStore, system: System) {
    this.#credentials = credentials
    this.#system = system
  }

  /**
   * [ACCT.3] Whether this is the user's password. Takes the same time for an unknown user and one without a
   * password. Renews a hash with older parameters.
   * @param asker takes turns with others, such as the key of an address
   * @throws PasswordsBusy
   */
  async check(userId: string | undefined, guess: string, asker = ''): Promise<boolean> {
    // Queried for an unknown user too, so that the store takes the same time.
    const credentials = await this.#credentials.find(userId ?? '')
    const known = credentials?.passwordHash
    const isRight = await this.#verify(known ?? (await this.#decoyHash()), guess, asker)
    if (!isRight || known === undefined || userId === undefined) return false
    if (!isCurrent(known)) await this.set(userId, guess, asker)
    return true
  }

  /** @param password one that the rules allow @param asker as for `check` @throws PasswordsBusy */
  async set(userId: string, password: string, asker = ''): Promise<void> {
    await this.#credentials.setPassword(userId, await this.#hash(password, asker))
  }

  /** Whether the user has a password; users of a provider may have none. */
  async has(userId: string): Promise<boolean> {
    return (await this.#credentials.find(userId))?.passwordHash !== undefined
  }

  #hash(password: string, asker = ''): Promise<string> {
    const salt = this.#system.randomBytes(16)
    return this.#turns.run(asker, () => hash(normalPassword(password), { ...PARAMETERS, salt }))
  }

  #verify(known: string, guess: string, asker: string): Promise<boolean> {
    return this.#turns.run(asker, () => verify(known, normalPassword(guess.slice(0, MAX_GUESS_CHARS))))
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= this.#hash(this.#system.randomBytes(32).toString('base64url'))
    return this.#decoy
  }
}

function isCurrent(known: string): boolean {
  const { algorithm, memoryCost, timeCost, parallelism } = parseOptions(known)
  return (
    algorithm === PARAMETERS.algorithm &&
    memoryCost === PARAMETERS.memoryCost &&
    timeCost === PARAMETERS.timeCost &&
    parallelism === PARAMETERS.parallelism
  )
}
