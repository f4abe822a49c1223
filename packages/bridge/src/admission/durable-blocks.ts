import { Blocklist } from '../limiters/blocklist.ts'
import type { Block, BlockName, BlockStore, System } from '../ports.ts'
import { LiftChecks } from './lift-checks.ts'

/** Interval at which a node reads blocks and lifts of operators from the store. */
const REFRESH_MS = 2_000

/**
 * The blocks of a node, kept in a store. They survive a restart, and another process can list, add and lift
 * them. While the store is unavailable the node uses its own copy.
 */
export class DurableBlocks {
  readonly list = new Blocklist()
  readonly #store: BlockStore | undefined
  readonly #checks: LiftChecks | undefined
  readonly #system: System
  readonly #onLifted: (block: BlockName) => void
  /** Blocks known to be in the store, on the wall clock. Only those can be lifted. */
  readonly #stored = new Map<string, Block>()
  /** Blocks that the store could not save, on the wall clock. */
  readonly #unsaved = new Map<string, Block>()
  #closed = false
  #cancelTimer = (): void => {}

  constructor(store: BlockStore | undefined, system: System, onLifted: (block: BlockName) => void) {
    this.#store = store
    this.#checks = store && new LiftChecks(store, system, (names) => this.#asking(names))
    this.#system = system
    this.#onLifted = onLifted
  }

  /** Loads the stored blocks and watches the store. Rejects while it is down. */
  async start(): Promise<void> {
    if (this.#store === undefined) return
    await this.#refresh(this.#store)
    this.#watch(this.#store)
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer()
  }

  /** Stores a block that began on this node. */
  save({ kind, key, untilMs }: Block): void {
    if (this.#store !== undefined) this.#put(this.#store, { kind, key, untilMs: this.#toWallMs(untilMs) })
  }

  /**
   * [BLOCK.5] Await before refusing a request because of this block: afterwards the list contains it only if
   * it was not lifted. `undefined` if it cannot have been lifted, or if too many wait for such a check.
   */
  recheck(block: BlockName): Promise<void> | undefined {
    const name = nameOf(block)
    return this.#stored.has(name) ? this.#checks?.check(name, block) : undefined
  }

  #put(store: BlockStore, block: Block): void {
    const name = nameOf(block)
    const saved = (): void => {
      this.#unsaved.delete(name)
      this.#stored.set(name, block)
    }
    store.put(block).then(saved, () => void this.#unsaved.set(name, block))
  }

  #watch(store: BlockStore): void {
    if (this.#closed) return
    this.#cancelTimer = this.#system.after(REFRESH_MS, () => {
      const again = (): void => this.#watch(store)
      this.#refresh(store).then(again, again)
    })
  }

  async #refresh(store: BlockStore): Promise<void> {
    this.#saveAgain(store)
    const before = [...this.#stored]
    this.#reconcile(before, await store.all())
  }

  /** @param before the stored blocks when the query began @param held the result of the query */
  #reconcile(before: readonly (readonly [string, Block])[], held: readonly Block[]): void {
    const names = new Set(held.map(nameOf))
    for (const [name, block] of before) {
      if (!names.has(name) && this.#stored.get(name) === block) this.#gone(name, block)
    }
    for (const block of held) this.#takeOver(block)
  }

  #asking(names: readonly string[]): (held: readonly Block[]) => void {
    const before = names.flatMap((name) => {
      const block = this.#stored.get(name)
      return block === undefined ? [] : [[name, block] as const]
    })
    return (held) => this.#reconcile(before, held)
  }

  #saveAgain(store: BlockStore): void {
    const nowMs = this.#system.monotonicMs()
    for (const [name, block] of this.#unsaved) {
      if (this.list.leftMs(block.kind, block.key, nowMs) > 0) this.#put(store, block)
      else this.#unsaved.delete(name)
    }
  }

  /**
   * Removes a lifted block. A block that has expired on the wall clock stays in the list, which drops it by
   * the monotonic clock.
   */
  #gone(name: string, { kind, key, untilMs }: Block): void {
    this.#stored.delete(name)
    if (untilMs <= this.#system.nowMs()) return
    this.list.lift(kind, key)
    this.#onLifted({ kind, key })
  }

  /** Keeps a known block unchanged, since the wall clock may have been set in between. */
  #takeOver(block: Block): void {
    const name = nameOf(block)
    if (this.#stored.get(name)?.untilMs === block.untilMs) return
    this.#stored.set(name, block)
    this.list.add({ ...block, untilMs: this.#toMonotonicMs(block.untilMs) })
  }

  #toWallMs(monotonicMs: number): number {
    return Math.ceil(this.#system.nowMs() + monotonicMs - this.#system.monotonicMs())
  }

  #toMonotonicMs(wallMs: number): number {
    return this.#system.monotonicMs() + wallMs - this.#system.nowMs()
  }
}

function nameOf({ kind, key }: BlockName): string {
  return `${kind} ${key}`
}
