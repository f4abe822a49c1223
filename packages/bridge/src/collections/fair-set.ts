/** Values of users, or of other owners, up to a limit. Then the owner with most loses its oldest value. */
export class FairSet {
  readonly #max: number
  /** Values by owner, the oldest first. */
  readonly #byOwner = new Map<string, Set<string>>()
  #size = 0

  /** @param max values of all owners together */
  constructor(max: number) {
    this.#max = max
  }

  has(owner: string, value: string): boolean {
    return this.#byOwner.get(owner)?.has(value) === true
  }

  /** @returns the value that was dropped for it */
  add(owner: string, value: string): string | undefined {
    if (this.has(owner, value)) return undefined
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? new Set()).add(value))
    this.#size++
    return this.#size > this.#max ? this.#dropOne() : undefined
  }

  delete(owner: string, value: string): void {
    const own = this.#byOwner.get(owner)
    if (own?.delete(value) !== true) return
    this.#size--
    if (own.size === 0) this.#byOwner.delete(owner)
  }

  /** Each owner with its values. */
  entries(): Iterable<readonly [string, ReadonlySet<string>]> {
    return this.#byOwner
  }

  #dropOne(): string | undefined {
    let [most, largest] = ['', new Set<string>()]
    for (const [owner, own] of this.#byOwner) if (own.size > largest.size) [most, largest] = [owner, own]
    const [oldest] = largest
    if (oldest !== undefined) this.delete(most, oldest)
    return oldest
  }
}
