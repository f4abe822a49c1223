import type { ClientAddress } from '../gates/request-facts.ts'
import { allow, deny, denyFor, type Verdict } from '../gates/verdict.ts'
import { SlidingWindow } from './sliding-window.ts'

export interface ConnectionLimits {
  readonly inAll: number
  readonly perAddress: number
  readonly perUser: number
  /** Connection attempts of one address within any `handshakeWindowMs`. */
  readonly handshakes: number
  readonly handshakeWindowMs: number
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  inAll: 20_000,
  perAddress: 256,
  perUser: 32,
  handshakes: 120,
  handshakeWindowMs: 60_000,
}

/**
 * [CONN.1] Bounds agents' connections in total, per address and per user; [CONN.2] bounds the attempts of an
 * address. A trusted proxy is bounded by the total only.
 *
 * Threat: memory and time spent on unknown peers. HTTP sockets without an upgrade are bounded by the HTTP
 * server.
 */
export class ConnectionCaps {
  readonly #limits: ConnectionLimits
  readonly #handshakes: SlidingWindow
  readonly #ofAddress = new Map<string, number>()
  readonly #ofUser = new Map<string, number>()
  #inAll = 0

  constructor(limits: ConnectionLimits = DEFAULT_CONNECTION_LIMITS) {
    this.#limits = limits
    this.#handshakes = new SlidingWindow({ max: limits.handshakes, windowMs: limits.handshakeWindowMs })
  }

  /** Checks the address before anything else is known. */
  checkAddress({ key, isProxy }: ClientAddress, nowMs: number): Verdict<void> {
    if (!isProxy && !this.#handshakes.take(key, nowMs))
      return denyFor('handshake_rate_exceeded', this.#limits.handshakeWindowMs)
    return this.#isFull(key, isProxy) ? deny('too_many_connections') : allow(undefined)
  }

  /**
   * Reserves a slot for a connection. Checks and reserves in one step, since many may have passed
   * `checkAddress` at the same time. Call `leave` once for each reserved slot.
   */
  take({ key, isProxy }: ClientAddress, userId: string): Verdict<void> {
    const ofUser = this.#ofUser.get(userId) ?? 0
    if (this.#isFull(key, isProxy) || ofUser >= this.#limits.perUser) return deny('too_many_connections')
    this.#inAll++
    this.#ofUser.set(userId, ofUser + 1)
    this.#ofAddress.set(key, (this.#ofAddress.get(key) ?? 0) + 1)
    return allow(undefined)
  }

  /** Frees the slot of a connection that ended. */
  leave({ key }: ClientAddress, userId: string): void {
    this.#inAll--
    oneLess(this.#ofUser, userId)
    oneLess(this.#ofAddress, key)
  }

  #isFull(key: string, isProxy: boolean): boolean {
    if (this.#inAll >= this.#limits.inAll) return true
    return !isProxy && (this.#ofAddress.get(key) ?? 0) >= this.#limits.perAddress
  }
}

function oneLess(open: Map<string, number>, name: string): void {
  const left = (open.get(name) as number) - 1
  if (left > 0) open.set(name, left)
  else open.delete(name)
}
