import type { ClientAddress } from './client-address.ts'
import { SlidingWindow } from './sliding-window.ts'
import { allow, deny, denyFor, type Verdict } from './verdict.ts'

export interface ConnectionLimits {
  readonly inAll: number
  readonly perAddress: number
  readonly perUser: number
  /** Attempts to connect that one address may make within any `handshakeWindowMs`. */
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
 * [CONN.1] The agents' connections are bounded in all, for each address and for each user; [CONN.2] so
 * is how often an address may try. A trusted proxy is bounded by the sum only.
 *
 * Threat: memory and time spent on whoever is not, or not yet, known. Not checked here: HTTP sockets
 * that ask for no upgrade, which the HTTP server bounds.
 */
export class ConnectionCaps {
  readonly #limits: ConnectionLimits
  readonly #handshakes: SlidingWindow
  readonly #open = new Map<string, number>()
  #inAll = 0

  constructor(limits: ConnectionLimits = DEFAULT_CONNECTION_LIMITS) {
    this.#limits = limits
    this.#handshakes = new SlidingWindow({ max: limits.handshakes, windowMs: limits.handshakeWindowMs })
  }

  /** Before anything is known but the address. */
  checkAddress({ key, isProxy }: ClientAddress, nowMs: number): Verdict<void> {
    if (!isProxy && !this.#handshakes.take(key, nowMs))
      return denyFor('handshake_rate_exceeded', this.#limits.handshakeWindowMs)
    return this.#isFull(key, isProxy) ? deny('too_many_connections') : allow(undefined)
  }

  /**
   * Takes a connection's place, in one step with the question whether there is one: many may have been
   * let past `checkAddress` at the same time.
   * Who has one leaves it once.
   */
  take({ key, isProxy }: ClientAddress, userId: string): Verdict<void> {
    if (this.#isFull(key, isProxy) || this.#count(`user ${userId}`) >= this.#limits.perUser)
      return deny('too_many_connections')
    this.#inAll++
    for (const name of namesOf(key, userId)) this.#open.set(name, this.#count(name) + 1)
    return allow(undefined)
  }

  /** A connection that had a place has ended. */
  leave({ key }: ClientAddress, userId: string): void {
    this.#inAll--
    for (const name of namesOf(key, userId)) this.#close(name)
  }

  #isFull(key: string, isProxy: boolean): boolean {
    if (this.#inAll >= this.#limits.inAll) return true
    return !isProxy && this.#count(`address ${key}`) >= this.#limits.perAddress
  }

  #close(name: string): void {
    const left = this.#count(name) - 1
    if (left === 0) this.#open.delete(name)
    else this.#open.set(name, left)
  }

  #count(name: string): number {
    return this.#open.get(name) ?? 0
  }
}

function namesOf(key: string, userId: string): readonly string[] {
  return [`address ${key}`, `user ${userId}`]
}
