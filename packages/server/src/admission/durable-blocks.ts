import { type Block, Blocklist } from '../gates/blocklist.ts'
import type { BlockStore, System } from '../ports.ts'

/** How soon an operator's block or lift reaches a running node. */
const REFRESH_MS = 2_000

/**
 * The blocks of a node, kept in a store so that they outlive it, and so that another process can see,
 * add and lift them. While the store is down the node goes by what it knows.
 */
export class DurableBlocks {
  readonly list = new Blocklist()
  readonly #store: BlockStore | undefined
  readonly #system: System
  readonly #onLifted: (block: Block) => void
  /** Not yet in the store: its absence there means nothing. */
  readonly #unsaved = new Set<string>()
  #cancelTimer = (): void => {}

  constructor(store: BlockStore | undefined, system: System, onLifted: (block: Block) => void) {
    this.#store = store
    this.#system = system
    this.#onLifted = onLifted
  }

  /** Takes over what the store has, and goes on watching it. Rejects when it is down. */
  async start(): Promise<void> {
    if (this.#store === undefined) return
    await this.#refresh(this.#store)
    this.#watch(this.#store)
  }

  close(): void {
    this.#cancelTimer()
  }

  /** A block began here. */
  save({ kind, key, untilMs }: Block): void {
    if (this.#store === undefined) return
    const name = nameOf({ kind, key })
    this.#unsaved.add(name)
    const saved = (): void => void this.#unsaved.delete(name)
    this.#store.put({ kind, key, untilMs: this.#toWallMs(untilMs) }).then(saved, saved)
  }

  #watch(store: BlockStore): void {
    this.#cancelTimer = this.#system.after(REFRESH_MS, () => {
      const again = (): void => this.#watch(store)
      this.#refresh(store).then(again, again)
    })
  }

  async #refresh(store: BlockStore): Promise<void> {
    const stored = await store.all()
    const nowMs = this.#system.monotonicMs()
    const names = new Set(stored.map(nameOf))
    for (const block of this.list.list(nowMs)) {
      if (names.has(nameOf(block)) || this.#unsaved.has(nameOf(block))) continue
      this.list.lift(block.kind, block.key)
      this.#onLifted(block)
    }
    for (const block of stored) this.list.add({ ...block, untilMs: this.#toMonotonicMs(block.untilMs) })
  }

  #toWallMs(monotonicMs: number): number {
    return Math.ceil(this.#system.nowMs() + monotonicMs - this.#system.monotonicMs())
  }

  #toMonotonicMs(wallMs: number): number {
    return this.#system.monotonicMs() + wallMs - this.#system.nowMs()
  }
}

function nameOf({ kind, key }: Pick<Block, 'kind' | 'key'>): string {
  return `${kind} ${key}`
}
