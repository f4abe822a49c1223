import { allow, type System, type Verdict } from '@bridgekeeper/bridge'
import { type ClientAddress, denyFor, SlidingWindow } from '@bridgekeeper/bridge/parts'

const MINUTE_MS = 60_000
export const CODE_WINDOW_MS = 15 * MINUTE_MS
/** Limit of counted addresses. Beyond it, the counts of the longest idle address are reset. */
const MAX_ADDRESSES = 10_000

/**
 * Limits of one address. `begin` counts requests that add a record of ten minutes, so its window is as long;
 * `registrationOfDay` keeps one address from filling the table of clients.
 */
export const LIMITS = {
  request: { max: 300, windowMs: MINUTE_MS },
  begin: { max: 200, windowMs: 10 * MINUTE_MS },
  device: { max: 30, windowMs: MINUTE_MS },
  registration: { max: 10, windowMs: MINUTE_MS },
  registrationOfDay: { max: 200, windowMs: 86_400_000 },
  metadata: { max: 30, windowMs: MINUTE_MS },
} as const
export type Limited = keyof typeof LIMITS

/** Whether a peer over this limit waits for longer than a minute. */
function isLasting(kind: Limited): boolean {
  return LIMITS[kind].windowMs > MINUTE_MS
}

/** Wrong user codes within 15 minutes, of one user, and from one address. Source: RFC 8628 section 5.1. */
export const WRONG_CODES = 10

/**
 * [OAUTH.9] [OAUTH.23] Limits requests of an address to the authorization server, and wrong user codes of a
 * user or address. In this node's memory; tokens per user have other limits.
 */
export class OAuthLimits {
  readonly #system: System
  readonly #windows: Readonly<Record<Limited, SlidingWindow>>
  readonly #wrongCodes = new SlidingWindow({
    max: WRONG_CODES,
    windowMs: CODE_WINDOW_MS,
    maxKeys: MAX_ADDRESSES,
  })

  constructor(system: System) {
    this.#system = system
    const window = (kind: Limited): SlidingWindow =>
      new SlidingWindow({ ...LIMITS[kind], maxKeys: MAX_ADDRESSES })
    this.#windows = {
      request: window('request'),
      begin: window('begin'),
      device: window('device'),
      registration: window('registration'),
      registrationOfDay: window('registrationOfDay'),
      metadata: window('metadata'),
    }
  }

  /**
   * Counts a request for one limit. All clients behind a proxy that does not name them share a count, so only
   * the limits of one minute apply to them.
   */
  take(kind: Limited, address: ClientAddress | undefined): Verdict<void> {
    const isShared = address === undefined || address.isProxy
    if (isShared && isLasting(kind)) return allow(undefined)
    const key = isShared ? '' : address.key
    const isWithin = this.#windows[kind].take(key, this.#system.monotonicMs())
    return isWithin ? allow(undefined) : denyFor('handshake_rate_exceeded', LIMITS[kind].windowMs)
  }

  /**
   * Counts a try before its code is checked, so that parallel tries count like sequential ones.
   * @param keys of the user and of the address
   */
  tryCode(keys: readonly string[]): Verdict<void> {
    const nowMs = this.#system.monotonicMs()
    if (keys.some((key) => this.#wrongCodes.leftMs(key, nowMs) > 0))
      return denyFor('handshake_rate_exceeded', CODE_WINDOW_MS)
    for (const key of keys) this.#wrongCodes.take(key, nowMs)
    return allow(undefined)
  }

  /** Gives back a try whose code was correct. */
  codeWasRight(keys: readonly string[]): void {
    for (const key of keys) this.#wrongCodes.giveBack(key)
  }
}
