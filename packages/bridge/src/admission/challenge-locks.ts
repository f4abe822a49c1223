import type { ClientAddress } from '../gates/request-facts.ts'
import type { Verdict } from '../gates/verdict.ts'
import { ChallengeLockout, lockKey } from '../limiters/lockout.ts'
import type { SecurityLog, System } from '../ports.ts'
import type { DurableBlocks } from './durable-blocks.ts'

/** Locks a user out from an address after wrong answers to challenges; keeps locks in the store. */
export class ChallengeLocks {
  readonly #lockout: ChallengeLockout
  readonly #blocks: DurableBlocks
  readonly #log: SecurityLog
  readonly #system: System

  constructor(blocks: DurableBlocks, log: SecurityLog, system: System) {
    this.#lockout = new ChallengeLockout(blocks.list)
    this.#blocks = blocks
    this.#log = log
    this.#system = system
  }

  /** Refuses a user who is locked out from this address. */
  check(userId: string, { key }: ClientAddress): Verdict<void> {
    return this.#lockout.check(userId, key, this.#system.monotonicMs())
  }

  /** [BLOCK.5] If the user is locked out from this address, checks in the store whether that still holds. */
  async recheck(userId: string, address: ClientAddress): Promise<void> {
    if (this.check(userId, address).allowed) return
    await this.#blocks.recheck({ kind: 'challenge', key: lockKey(userId, address.key) })
  }

  /** Clears the count after a correct answer. */
  passed(userId: string, { key }: ClientAddress): void {
    this.#lockout.passed(userId, key)
  }

  /** Counts a wrong answer. @returns whether the user is locked out from this address now */
  failed(userId: string, { ip, key }: ClientAddress): boolean {
    const nowMs = this.#system.monotonicMs()
    const lock = this.#lockout.failed(userId, key, nowMs)
    if (lock === undefined) return false
    const retryAfter = Math.ceil(lock.lockMs / 1_000)
    this.#log.logSecurityEvent({ event: 'challenge_locked', userId, ip, retryAfter })
    this.#blocks.save({ kind: 'challenge', key: lock.key, untilMs: nowMs + lock.lockMs })
    return true
  }
}
