import type { Block, BlockName, BlockStore, System } from '../ports.ts'

/** Requests of one block that wait for a check at once; further ones are refused without it. */
export const MAX_WAITING_PER_BLOCK = 64
/** Limit of blocks in a look-up; further requests are refused without one. */
export const MAX_WAITING_BLOCKS = 1_024
/** Time limit of a query, after which the block stays. */
const PATIENCE_MS = 1_000

interface Waiting {
  readonly block: BlockName
  readonly resolve: (() => void)[]
}

/**
 * Checks in the store whether blocks were lifted, before requests are refused because of them. Only one query
 * is in flight, for all pending blocks, so a blocked flood adds no further load to the store.
 */
export class LiftChecks {
  readonly #store: BlockStore
  readonly #system: System
  readonly #onAsking: (names: readonly string[]) => (held: readonly Block[]) => void
  #waiting = new Map<string, Waiting>()
  #isRunning = false

  /** @param onAsking called when a query begins; returns the receiver of its answer */
  constructor(
    store: BlockStore,
    system: System,
    onAsking: (names: readonly string[]) => (held: readonly Block[]) => void,
  ) {
    this.#store = store
    this.#system = system
    this.#onAsking = onAsking
  }

  /** @returns resolves after a query that began after this call; `undefined` when too many wait already */
  check(name: string, block: BlockName): Promise<void> | undefined {
    const waiting = this.#waiting.get(name) ?? { block, resolve: [] }
    const isFull = this.#waiting.size >= MAX_WAITING_BLOCKS && waiting.resolve.length === 0
    if (isFull || waiting.resolve.length >= MAX_WAITING_PER_BLOCK) return undefined
    this.#waiting.set(name, waiting)
    const checked = new Promise<void>((resolve) => waiting.resolve.push(resolve))
    if (!this.#isRunning) void this.#run()
    return checked
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.size > 0) {
      const batch = this.#waiting
      this.#waiting = new Map()
      await this.#lookUp(batch)
      for (const { resolve } of batch.values()) for (const done of resolve) done()
    }
    this.#isRunning = false
  }

  /** Never rejects: while the store is down, blocks stay. */
  async #lookUp(batch: ReadonlyMap<string, Waiting>): Promise<void> {
    const answered = this.#onAsking([...batch.keys()])
    const asked = [...batch.values()].map(({ block }) => block)
    let cancel = (): void => {}
    const late = new Promise<undefined>((resolve) => {
      cancel = this.#system.after(PATIENCE_MS, () => resolve(undefined))
    })
    const held = await Promise.race([this.#store.held(asked).catch(() => undefined), late])
    cancel()
    if (held !== undefined) answered(held)
  }
}
