import { BLOCK_KINDS, type Block, type BlockKind } from '../ports.ts'
import { CHECKS_PER_SWEEP } from './sliding-window.ts'

/** Blocked keys and when each block ends. Independent of sockets: a block outlives every connection. */
export class Blocklist {
  readonly #byKind: Readonly<Record<BlockKind, Map<string, number>>> = {
    address: new Map(),
    calls: new Map(),
    challenge: new Map(),
  }

  #checks = 0

  /** Remaining time of a block; 0 without one. @param nowMs monotonic */
  leftMs(kind: BlockKind, key: string, nowMs: number): number {
    const blocks = this.#byKind[kind]
    if (blocks.size === 0) return 0
    if (++this.#checks % CHECKS_PER_SWEEP === 0) this.list(nowMs)
    return Math.max(0, (blocks.get(key) ?? nowMs) - nowMs)
  }

  /** Adds a block. A longer existing one stays. */
  add({ kind, key, untilMs }: Block): void {
    const blocks = this.#byKind[kind]
    blocks.set(key, Math.max(untilMs, blocks.get(key) ?? untilMs))
  }

  lift(kind: BlockKind, key: string): void {
    this.#byKind[kind].delete(key)
  }

  /** Active blocks; drops expired ones. */
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
