/** Counts requests that wait for an answer, so that a bridge can wait for them before it closes. */
export class InFlight {
  #count = 0
  #isDraining = false
  #whenIdle: (() => void)[] = []

  get count(): number {
    return this.#count
  }

  /** Whether further requests must be refused. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  began(): void {
    this.#count++
  }

  ended(): void {
    this.#count--
    if (this.#count === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  /** Accepts no further requests; resolves when none waits for an answer. */
  drain(): Promise<void> {
    this.#isDraining = true
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }
}
