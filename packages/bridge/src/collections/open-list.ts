/**
 * Items in no order. A list instead of a set: V8 chains the tables that a busy set or map has outgrown, and once one of
 * them is old, all later ones stay with their items, and all that these refer to, until the next full collection. With a
 * set of open requests, small calls stall for 12 ms at a time (bench/RESULTS.md).
 *
 * The first item gets a list of one: an empty list that grows has room for 17, which each idle agent would keep.
 */
export class OpenList<T> {
  #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  get items(): readonly T[] {
    return this.#items
  }

  add(item: T): void {
    if (this.#items.length === 0) this.#items = [item]
    else this.#items.push(item)
  }

  /** Removes it, if it is there. Takes time with the number of items. */
  remove(item: T): void {
    const at = this.#items.indexOf(item)
    const last = this.#items.pop()
    if (at === -1 && last !== undefined) this.#items.push(last)
    else if (last !== undefined && at < this.#items.length) this.#items[at] = last
  }

  /** Empties the list. @returns what was in it */
  clear(): readonly T[] {
    return this.#items.splice(0)
  }
}
