/**
 * Remembers what may be used once, until it has run out anyway. What does not fit is refused: forgetting
 * would let it be used again.
 */
export class ReplayMemory {
  readonly #max: number
  /** By the moment at which each may be forgotten, about in order. */
  readonly #used = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  /** @param untilMs on the clock of `nowMs`, which never goes back @returns whether it is the first use */
  take(key: string, untilMs: number, nowMs: number): boolean {
    for (const [oldest, goneMs] of this.#used) {
      if (goneMs > nowMs) break
      this.#used.delete(oldest)
    }
    if (this.#used.has(key) || this.#used.size >= this.#max) return false
    this.#used.set(key, untilMs)
    return true
  }
}
