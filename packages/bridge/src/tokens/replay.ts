/**
 * Remembers single-use values until they expire. When full it refuses new ones, because forgetting would
 * allow a replay.
 */
export class ReplayMemory {
  readonly #max: number
  /** Expiry by key, roughly in order. */
  readonly #used = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  /** @param untilMs on the clock of `nowMs`, which is monotonic @returns whether this is the first use */
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
