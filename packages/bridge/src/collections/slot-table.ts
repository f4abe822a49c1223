import type { System } from '../ports.ts'

/** Random bytes of an id: nobody guesses it, and no restart repeats it. */
const RANDOM_BYTES = 15
const RANDOM_CHARS = 20

/**
 * Items by id. An id consists of random characters and the item's slot in a list. A list instead of a map, for the
 * reason that open-list.ts gives.
 */
export class SlotTable<T extends { readonly id: string }> {
  readonly #slots: (T | undefined)[] = []
  readonly #freeSlots: number[] = []
  readonly #system: System

  constructor(system: System) {
    this.#system = system
  }

  get size(): number {
    return this.#slots.length - this.#freeSlots.length
  }

  /** @returns the id for the next item that is added */
  nextId(): string {
    const slot = this.#freeSlots.at(-1) ?? this.#slots.length
    return this.#system.randomBytes(RANDOM_BYTES).toString('base64url') + slot.toString(36).padStart(2, '0')
  }

  /** Adds an item whose id `nextId` has just returned. */
  add(item: T): void {
    this.#freeSlots.pop()
    this.#slots[slotOf(item.id)] = item
  }

  get(id: string): T | undefined {
    const item = this.#slots[slotOf(id)]
    return item?.id === id ? item : undefined
  }

  /** @returns the removed item, if it was there */
  take(id: string): T | undefined {
    const item = this.get(id)
    if (item === undefined) return undefined
    const slot = slotOf(id)
    this.#slots[slot] = undefined
    this.#freeSlots.push(slot)
    return item
  }

  /** @returns a copy, so that items may be taken during a loop over it */
  items(): T[] {
    return this.#slots.filter((item) => item !== undefined)
  }
}

function slotOf(id: string): number {
  return Number.parseInt(id.slice(RANDOM_CHARS), 36)
}
