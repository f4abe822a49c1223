/** Values by key, newest first. Lists, since a set for one value would cost each idle agent more memory. */
export class Groups<T> {
  readonly #groups = new Map<string, readonly T[]>()

  get(key: string): readonly T[] {
    return this.#groups.get(key) ?? []
  }

  add(key: string, value: T): void {
    this.#groups.set(key, [value, ...this.get(key)])
  }

  remove(key: string, value: T): void {
    const others = this.get(key).filter((other) => other !== value)
    if (others.length === 0) this.#groups.delete(key)
    else this.#groups.set(key, others)
  }

  values(): readonly T[] {
    return [...this.#groups.values()].flat() as T[]
  }
}
