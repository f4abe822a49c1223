import { hash, parseOptions, verify } from '@node-rs/argon2'
import type { CredentialStore } from '../ports/identity.ts'
import type { System } from '../ports.ts'
import { normalPassword } from './password-rules.ts'

/** Argon2id with 19 MiB, two passes and one lane. Source: OWASP Password Storage Cheat Sheet. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** Each takes 19 MiB and a thread of the pool, whose others are for files and names. */
const MAX_AT_ONCE = 2
const MAX_WAITING = 64
/** No password that anybody set is longer. */
const MAX_GUESS_CHARS = 1_024

/** More passwords wait to be looked at than there is time for. */
export class PasswordsBusy extends Error {
  override readonly name = 'PasswordsBusy'
}

/** Passwords, kept as hashes that are slow to make. Rejects when the store is down. */
export class Passwords {
  readonly #credentials: CredentialStore
  readonly #system: System
  readonly #waiting: (() => void)[] = []
  #running = 0
  #decoy: Promise<string> | undefined

  constructor(credentials: CredentialStore, system: System) {
    this.#credentials = credentials
    this.#system = system
  }

  /**
   * [ACCT.3] Whether it is this user's password. For nobody, and for somebody without one, it takes as long and
   * says no. A hash of older parameters is renewed.
   * @throws PasswordsBusy
   */
  async check(userId: string | undefined, guess: string): Promise<boolean> {
    // Asked for nobody too, so that the store takes as long.
    const credentials = await this.#credentials.find(userId ?? '')
    const known = credentials?.passwordHash
    const isRight = await this.#verify(known ?? (await this.#decoyHash()), guess)
    if (!isRight || known === undefined || userId === undefined) return false
    if (!isCurrent(known)) await this.set(userId, guess)
    return true
  }

  /** @param password one that the rules allow @throws PasswordsBusy */
  async set(userId: string, password: string): Promise<void> {
    await this.#credentials.setPassword(userId, await this.#hash(password))
  }

  /** Whether there is a password at all: somebody who comes from a provider may have none. */
  async has(userId: string): Promise<boolean> {
    return (await this.#credentials.find(userId))?.passwordHash !== undefined
  }

  #hash(password: string): Promise<string> {
    const salt = this.#system.randomBytes(16)
    return this.#inTurn(() => hash(normalPassword(password), { ...PARAMETERS, salt }))
  }

  #verify(known: string, guess: string): Promise<boolean> {
    return this.#inTurn(() => verify(known, normalPassword(guess.slice(0, MAX_GUESS_CHARS))))
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= this.#hash(this.#system.randomBytes(32).toString('base64url'))
    return this.#decoy
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_AT_ONCE) {
      if (this.#waiting.length >= MAX_WAITING) throw new PasswordsBusy('Too many passwords wait.')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await run()
    } finally {
      // The place goes to whoever waits longest.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
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
