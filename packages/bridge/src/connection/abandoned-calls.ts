/** Ids remembered per connection: five minutes of cancelled calls at the default rate limit. */
export const MAX_ABANDONED_CALLS = 512

/** Calls that were cancelled or timed out. The agent may still answer each of them once; the oldest are evicted. */
export class AbandonedCalls {
  readonly #ids = new Set<string>()

  add(id: string): void {
    this.#ids.add(id)
    const [oldest] = this.#ids
    if (this.#ids.size > MAX_ABANDONED_CALLS && oldest !== undefined) this.#ids.delete(oldest)
  }

  /** @returns whether an answer to this call was still expected; the next one is not */
  take(id: string): boolean {
    return this.#ids.delete(id)
  }
}
