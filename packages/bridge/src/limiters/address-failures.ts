import type { ClientAddress } from '../gates/request-facts.ts'
import { allow, denyFor, type Verdict } from '../gates/verdict.ts'
import type { Blocklist } from './blocklist.ts'
import { SlidingWindow } from './sliding-window.ts'

export interface FailureLimit {
  /** Failures within the window that block the address. */
  readonly failures: number
  readonly windowMs: number
  readonly blockMs: number
}

export const DEFAULT_FAILURE_LIMIT: FailureLimit = { failures: 10, windowMs: 60_000, blockMs: 3_600_000 }

/**
 * [ADDR.1] Refuses an address for an hour after ten failed authentications within a minute; [ADDR.2] never a
 * trusted proxy, which stands for many clients.
 *
 * Threat: endless guessing from one place. Guessing from many places is not covered.
 */
export class AddressFailures {
  readonly #blocks: Blocklist
  readonly #limit: FailureLimit
  readonly #failures: SlidingWindow

  constructor(blocks: Blocklist, limit: FailureLimit = DEFAULT_FAILURE_LIMIT) {
    this.#blocks = blocks
    this.#limit = limit
    this.#failures = new SlidingWindow({ max: Math.max(0, limit.failures - 1), windowMs: limit.windowMs })
  }

  check({ key, isProxy }: ClientAddress, nowMs: number): Verdict<void> {
    const leftMs = isProxy ? 0 : this.#blocks.leftMs('address', key, nowMs)
    return leftMs > 0 ? denyFor('address_blocked', leftMs) : allow(undefined)
  }

  /** Further failures that would block the address now; at least one. */
  left({ key }: ClientAddress, nowMs: number): number {
    return 1 + this.#failures.remaining(key, nowMs)
  }

  /** Counts a failure. @returns how long the address is blocked, if this failure began the block */
  failed({ key, isProxy }: ClientAddress, nowMs: number): number | undefined {
    if (isProxy || this.#failures.take(key, nowMs)) return undefined
    this.#failures.forget(key)
    this.#blocks.add({ kind: 'address', key, untilMs: nowMs + this.#limit.blockMs })
    return this.#limit.blockMs
  }
}
