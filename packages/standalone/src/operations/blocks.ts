import type { Block, BlockStore, CallTimesStore, System, UserStore } from '@bridgekeeper/bridge'
import { addressKey } from '@bridgekeeper/bridge/parts'
import { SetupError } from '../config/setup-error.ts'
import type { Actor, EventRecorder } from '../ports.ts'

export interface BlockParts {
  readonly blocks: BlockStore
  readonly callTimes: CallTimesStore
  readonly users: UserStore
  readonly log: EventRecorder
  readonly system: System
}

/** Acts on blocks, also while a node runs on the same data folder. */
export class BlockOperations {
  readonly #parts: BlockParts

  constructor(parts: BlockParts) {
    this.#parts = parts
  }

  list(): Promise<readonly Block[]> {
    return this.#parts.blocks.all()
  }

  /** @throws SetupError `address_invalid` */
  async addAddress(ip: string, lifetimeMs: number, actor: Actor): Promise<Block> {
    const key = addressKey(ip)
    if (key === undefined) {
      throw new SetupError(
        'address_invalid',
        `${JSON.stringify(ip)} is not an IP address.`,
        'Use an address like 203.0.113.7.',
      )
    }
    const { blocks, log, system } = this.#parts
    const block: Block = { kind: 'address', key, untilMs: system.nowMs() + lifetimeMs }
    await blocks.put(block)
    await log.logSecurityEvent({ event: 'block_added', kind: block.kind, key, ...actor })
    return block
  }

  /**
   * Lifts every block of an address, a user (by id or email), or one listed key, and resets the user's rate limit:
   * the seed's `resetRateLimit`.
   * @throws SetupError `block_unknown`
   */
  async lift(what: string, actor: Actor): Promise<readonly Block[]> {
    const { blocks, callTimes, users, log } = this.#parts
    const user = await users.findByEmail(what)
    const name = user?.userId ?? addressKey(what) ?? what
    const lifted = (await this.list()).filter(({ key }) => key === name || key.split(' ').includes(name))
    if (lifted.length === 0) {
      throw new SetupError(
        'block_unknown',
        `${JSON.stringify(what)} is not blocked.`,
        'List the blocks: bridgekeeper block list',
      )
    }
    for (const block of lifted) {
      const { kind, key } = block
      await blocks.remove(block)
      if (kind === 'calls') await callTimes.forget(key)
      await log.logSecurityEvent({ event: 'block_lifted', kind, key, ...actor })
    }
    return lifted
  }
}
