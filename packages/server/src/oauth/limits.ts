import { SlidingWindow } from '../gates/sliding-window.ts'
import { allow, denyFor, type Verdict } from '../gates/verdict.ts'
import type { System } from '../ports.ts'

const MINUTE_MS = 60_000
const CODE_WINDOW_MS = 15 * MINUTE_MS

/** What one address may do in a minute. */
const LIMITS = { request: 300, device: 30, registration: 10, metadata: 30 } as const
export type Limited = keyof typeof LIMITS

/** Wrong user codes within 15 minutes, of one user, and from one address. Source: RFC 8628 section 5.1. */
const WRONG_CODES = 10

/**
 * [OAUTH.9] How often one address may ask the authorization server, and how often a user or an address may be
 * wrong about a user code. In this node's memory; the tokens of each user have limits of their own.
 */
export class OAuthLimits {
  readonly #system: System
  readonly #windows: Readonly<Record<Limited, SlidingWindow>>
  readonly #wrongCodes = new SlidingWindow({ max: WRONG_CODES, windowMs: CODE_WINDOW_MS, maxKeys: 10_000 })

  constructor(system: System) {
    this.#system = system
    const window = (max: number): SlidingWindow =>
      new SlidingWindow({ max, windowMs: MINUTE_MS, maxKeys: 10_000 })
    this.#windows = {
      request: window(LIMITS.request),
      device: window(LIMITS.device),
      registration: window(LIMITS.registration),
      metadata: window(LIMITS.metadata),
    }
  }

  take(kind: Limited, address: string): Verdict<void> {
    const isWithin = this.#windows[kind].take(address, this.#system.monotonicMs())
    return isWithin ? allow(undefined) : denyFor('handshake_rate_exceeded', MINUTE_MS)
  }

  /**
   * Counts a try before its code is looked at, so that many at once are no more than one after the other.
   * @param keys who tries: the user, the address
   */
  tryCode(keys: readonly string[]): Verdict<void> {
    const nowMs = this.#system.monotonicMs()
    if (keys.some((key) => this.#wrongCodes.leftMs(key, nowMs) > 0))
      return denyFor('handshake_rate_exceeded', CODE_WINDOW_MS)
    for (const key of keys) this.#wrongCodes.take(key, nowMs)
    return allow(undefined)
  }

  /** The code was not wrong. */
  codeWasRight(keys: readonly string[]): void {
    for (const key of keys) this.#wrongCodes.giveBack(key)
  }
}
