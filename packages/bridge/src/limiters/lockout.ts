import { allow, denyFor, type Verdict } from '../gates/verdict.ts'
import type { Blocklist } from './blocklist.ts'
import { SlidingWindow } from './sliding-window.ts'

/** Wrong answers per user and address within a window, over all connections. */
export const ATTEMPTS = 3
export const WINDOW_MS = 900_000
export const FIRST_LOCK_MS = 60_000
export const LONGEST_LOCK_MS = 3_600_000
/** Locks that lengthen the next one; after this window without a lock it is short again. */
const REMEMBERED_LOCKS = { max: 8, windowMs: 86_400_000 }

/**
 * Layer 4, across connections: [CHAL.6] the third wrong answer of a user from an address locks that pair out;
 * each further lock lasts twice as long. Threat: endless attempts with fresh connections. The user elsewhere
 * and others at that address stay unaffected.
 */
export class ChallengeLockout {
  readonly #blocks: Blocklist
  readonly #failures = new SlidingWindow({ max: ATTEMPTS - 1, windowMs: WINDOW_MS })
  readonly #locks = new SlidingWindow(REMEMBERED_LOCKS)

  constructor(blocks: Blocklist) {
    this.#blocks = blocks
  }

  check(userId: string, addressKey: string, nowMs: number): Verdict<void> {
    const leftMs = this.#blocks.leftMs('challenge', lockKey(userId, addressKey), nowMs)
    return leftMs > 0 ? denyFor('challenge_locked', leftMs) : allow(undefined)
  }

  /** Counts a wrong answer. @returns the lock, if it began one */
  failed(
    userId: string,
    addressKey: string,
    nowMs: number,
  ): { readonly key: string; readonly lockMs: number } | undefined {
    const key = lockKey(userId, addressKey)
    if (this.#failures.take(key, nowMs)) return undefined
    this.#failures.forget(key)
    const earlier = REMEMBERED_LOCKS.max - this.#locks.remaining(key, nowMs)
    this.#locks.take(key, nowMs)
    const lockMs = Math.min(FIRST_LOCK_MS * 2 ** earlier, LONGEST_LOCK_MS)
    this.#blocks.add({ kind: 'challenge', key, untilMs: nowMs + lockMs })
    return { key, lockMs }
  }

  /** Clears the count after a correct answer. */
  passed(userId: string, addressKey: string): void {
    this.#failures.forget(lockKey(userId, addressKey))
  }
}

/** The blocklist key for a user at an address. */
export function lockKey(userId: string, addressKey: string): string {
  return `${userId} ${addressKey}`
}
