/**
 * Values by a key, newest first. Most keys have one value, and a list of one would cost as much as all the rest of
 * its entry, so that one stands alone.
 */
export class Groups<T extends object> {
  readonly #groups = new Map<string, T | readonly T[]>()

  get(key: string): readonly T[] {
    const group = this.#groups.get(key)
    return group === undefined ? NONE : isList(group) ? group : [group]
  }

  add(key: string, value: T): void {
    this.#put(key, [value, ...this.get(key)])
  }

  remove(key: string, value: T): void {
    this.#put(
      key,
      this.get(key).filter((other) => other !== value),
    )
  }

  values(): readonly T[] {
    return [...this.#groups.values()].flatMap((group) => group as T | T[])
  }

  #put(key: string, [first, ...others]: readonly T[]): void {
    if (first === undefined) this.#groups.delete(key)
    else this.#groups.set(key, others.length === 0 ? first : [first, ...others])
  }
}

const NONE: readonly never[] = []

function isList<T extends object>(group: T | readonly T[]): group is readonly T[] {
  return Array.isArray(group)
}
