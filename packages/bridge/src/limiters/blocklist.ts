import { BLOCK_KINDS, type Block, type BlockKind } from '../ports.ts'

/** Blocks are looked through for those that have run out once in so many questions. */
const CHECKS_PER_SWEEP = 1_024

/** Who is refused, and until when. Knows nothing of sockets: a block outlives every one of them. */
export class Blocklist {
  readonly #byKind: Readonly<Record<BlockKind, Map<string, number>>> = {
    address: new Map(),
    calls: new Map(),
    challenge: new Map(),
  }

  #checks = 0

  /** How much longer it is refused; 0 when it is not. @param nowMs monotonic */
  leftMs(kind: BlockKind, key: string, nowMs: number): number {
    const blocks = this.#byKind[kind]
    if (blocks.size === 0) return 0
    if (++this.#checks % CHECKS_PER_SWEEP === 0) this.list(nowMs)
    return Math.max(0, (blocks.get(key) ?? nowMs) - nowMs)
  }

  /** Whether nobody is refused by a block of this kind. */
  isEmpty(kind: BlockKind): boolean {
    return this.#byKind[kind].size === 0
  }

  /** A longer block that stands already stays. */
  add({ kind, key, untilMs }: Block): void {
    const blocks = this.#byKind[kind]
    blocks.set(key, Math.max(untilMs, blocks.get(key) ?? untilMs))
  }

  lift(kind: BlockKind, key: string): void {
    this.#byKind[kind].delete(key)
  }

  /** Those that still hold; what has run out is forgotten. */
  list(nowMs: number): Block[] {
    const held: Block[] = []
    for (const kind of BLOCK_KINDS) {
      for (const [key, untilMs] of this.#byKind[kind]) {
        if (untilMs > nowMs) held.push({ kind, key, untilMs })
        else this.lift(kind, key)
      }
    }
    return held
  }
}
