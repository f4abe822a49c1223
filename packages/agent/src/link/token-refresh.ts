import { isObject, parseJson } from '@bridgekeeper/protocol'
import type { System } from '../system.ts'

/**
 * Time before the expiry of a token at which a fresh one is requested; for short-lived tokens, the last
 * quarter of their lifetime.
 */
const AHEAD_MS = 90_000
const LAST_PART = 4
/** Delay before the next request, after no token was available or the bridge refused it. */
const RETRY_MS = 15_000

export interface TokenRefreshOptions {
  readonly token: () => string | Promise<string>
  readonly system: System
  /** Called when an answer has arrived. */
  readonly wake: () => void
}

/** Requests the next token before the current one expires, so that the connection can stay open. */
export class TokenRefresh {
  readonly #options: TokenRefreshOptions
  #present: string
  #dueMs: number
  #isAsking = false
  #fresh: string | undefined

  /** @param token the token with which the connection began */
  constructor(token: string, options: TokenRefreshOptions) {
    this.#options = options
    this.#present = token
    this.#dueMs = this.#dueOf(token)
  }

  /** Time at which `step` must run next, on the monotonic clock. */
  get dueMs(): number {
    return this.#isAsking ? Number.POSITIVE_INFINITY : this.#dueMs
  }

  /** @param accepted the token that the bridge accepted last @returns the token to send now, if any */
  step(accepted: string): string | undefined {
    if (accepted !== this.#present) {
      this.#present = accepted
      this.#dueMs = this.#dueOf(accepted)
    }
    if (!this.#isAsking && this.#options.system.monotonicMs() >= this.#dueMs) this.#ask()
    const fresh = this.#fresh
    this.#fresh = undefined
    return fresh === this.#present ? undefined : fresh
  }

  #ask(): void {
    const { token, system, wake } = this.#options
    this.#isAsking = true
    const answered = (fresh: string | undefined): void => {
      this.#isAsking = false
      this.#fresh = fresh
      this.#dueMs = system.monotonicMs() + RETRY_MS
      wake()
    }
    // A rejection is ignored here: if the connection ends, the next attempt requests a token again.
    Promise.resolve()
      .then(token)
      .then(answered, () => answered(undefined))
  }

  #dueOf(token: string): number {
    const { system } = this.#options
    const lifetimeMs = lifetimeOf(token, system.nowMs())
    return system.monotonicMs() + lifetimeMs - Math.min(AHEAD_MS, lifetimeMs / LAST_PART)
  }
}

/**
 * Lifetime of a token by its own unverified claims. A wrong clock cannot extend it beyond its original
 * length.
 * @returns Infinity without an expiry
 */
function lifetimeOf(token: string, nowMs: number): number {
  const claims = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))?.value
  if (!isObject(claims) || typeof claims.exp !== 'number') return Number.POSITIVE_INFINITY
  const leftMs = claims.exp * 1_000 - nowMs
  const madeForMs = typeof claims.iat === 'number' ? (claims.exp - claims.iat) * 1_000 : leftMs
  return Math.max(0, leftMs > 0 ? Math.min(leftMs, madeForMs) : madeForMs)
}
