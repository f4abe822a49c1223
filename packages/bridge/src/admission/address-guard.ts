import type { ClientAddress } from '../gates/request-facts.ts'
import { allow, denyFor, type Verdict } from '../gates/verdict.ts'
import { SlidingWindow } from '../limiters/sliding-window.ts'
import type { EndCheck, SecurityLog, System } from '../ports.ts'
import type { DurableBlocks } from './durable-blocks.ts'

export interface FailureLimit {
  /** Failures within the window that block the address. */
  readonly failures: number
  readonly windowMs: number
  readonly blockMs: number
}

export const DEFAULT_FAILURE_LIMIT: FailureLimit = { failures: 10, windowMs: 60_000, blockMs: 3_600_000 }

/** Limit of checks of one address that wait. */
export const MAX_WAITING = 512
const RETRY_MS = 1_000

/** The checks of one address. */
interface Checks {
  running: number
  readonly waiting: (() => void)[]
}

/**
 * [ADDR.1] Refuses an address for an hour after ten failed authentications within a minute; [ADDR.2] never a
 * trusted proxy, which stands for many clients.
 *
 * [ADDR.8] Bounds the concurrent checks of credentials per address to the failures that it has left before
 * its block. Concurrent guesses therefore gain nothing over sequential ones.
 *
 * Threat: endless guessing from one place. Guessing from many places is not covered.
 */
export class AddressGuard {
  readonly #blocks: DurableBlocks
  readonly #limit: FailureLimit
  readonly #log: SecurityLog
  readonly #system: System
  readonly #failures: SlidingWindow
  readonly #checks = new Map<string, Checks>()

  constructor(blocks: DurableBlocks, log: SecurityLog, system: System, limit = DEFAULT_FAILURE_LIMIT) {
    this.#blocks = blocks
    this.#limit = limit
    this.#log = log
    this.#system = system
    this.#failures = new SlidingWindow({ max: Math.max(0, limit.failures - 1), windowMs: limit.windowMs })
  }

  /** Refuses a blocked address. */
  check({ key, isProxy }: ClientAddress): Verdict<void> {
    const leftMs = isProxy ? 0 : this.#blocks.list.leftMs('address', key, this.#nowMs())
    return leftMs > 0 ? denyFor('address_blocked', leftMs) : allow(undefined)
  }

  /** [BLOCK.5] If the address is blocked, checks in the store whether it still is. */
  async recheck(address: ClientAddress): Promise<void> {
    if (this.check(address).allowed) return
    await this.#blocks.recheck({ kind: 'address', key: address.key })
  }

  /** Counts a wrong token, password, code or the like. */
  failed({ ip, key, isProxy }: ClientAddress): void {
    const nowMs = this.#nowMs()
    if (isProxy || this.#failures.take(key, nowMs)) return
    this.#failures.forget(key)
    const { blockMs } = this.#limit
    const block = { kind: 'address', key, untilMs: nowMs + blockMs } as const
    this.#blocks.list.add(block)
    this.#log.logSecurityEvent({ event: 'address_blocked', ip, retryAfter: Math.ceil(blockMs / 1_000) })
    this.#blocks.save(block)
  }

  /**
   * Begins the check of a token, password, code or the like: waits for its turn, except behind a trusted proxy.
   * @returns ends the check; call it after counting a failure
   */
  async beginCheck(address: ClientAddress): Promise<Verdict<EndCheck>> {
    const { key, isProxy } = address
    if (isProxy) return allow(() => {})
    const checks = this.#checks.get(key) ?? { running: 0, waiting: [] }
    if (checks.waiting.length >= MAX_WAITING) return denyFor('handshake_rate_exceeded', RETRY_MS)
    this.#checks.set(key, checks)
    if (checks.running < this.#left(key)) checks.running++
    else await new Promise<void>((resolve) => checks.waiting.push(resolve))
    const end = (): void => this.#endCheck(key, checks)
    // The address may have been blocked in between.
    const unblocked = this.check(address)
    if (unblocked.allowed) return allow(end)
    end()
    return unblocked
  }

  /** Starts the checks that have waited longest. */
  #endCheck(key: string, checks: Checks): void {
    checks.running--
    const free = this.#left(key) - checks.running
    for (const next of checks.waiting.splice(0, Math.max(0, free))) {
      checks.running++
      next()
    }
    if (checks.running === 0) this.#checks.delete(key)
  }

  /** Further failures that would block the address now; at least one. */
  #left(key: string): number {
    return 1 + this.#failures.remaining(key, this.#nowMs())
  }

  #nowMs(): number {
    return this.#system.monotonicMs()
  }
}
