import type { Block, BridgeStores, SecurityEvent, System, UserStore } from '@bridgekeeper/bridge'
import { addressKey } from '@bridgekeeper/bridge/parts'
import { SetupError } from '../config/setup-error.ts'

/** What an operator does about blocks, also while a node runs on the same data folder. */
export class OperatorBlocks {
  readonly #stores: Required<BridgeStores>
  readonly #users: UserStore
  readonly #system: System
  readonly #record: (event: SecurityEvent) => Promise<void>

  constructor(
    stores: Required<BridgeStores>,
    users: UserStore,
    system: System,
    record: (event: SecurityEvent) => Promise<void>,
  ) {
    this.#stores = stores
    this.#users = users
    this.#system = system
    this.#record = record
  }

  list(): Promise<readonly Block[]> {
    return this.#stores.blocks.all()
  }

  /** @throws SetupError `address_invalid` */
  async addAddress(ip: string, lifetimeMs: number): Promise<Block> {
    const key = addressKey(ip)
    if (key === undefined) {
      throw new SetupError(
        'address_invalid',
        `${JSON.stringify(ip)} is no IP address.`,
        'Give one like 203.0.113.7.',
      )
    }
    const block: Block = { kind: 'address', key, untilMs: this.#system.nowMs() + lifetimeMs }
    await this.#stores.blocks.put(block)
    await this.#record({ event: 'block_added', kind: block.kind, key })
    return block
  }

  /**
   * Lifts every block of an address, a user (by id or email), or one listed key, and starts the user's
   * rate limit anew: the seed's `resetRateLimit`.
   * @throws SetupError `block_unknown`
   */
  async lift(what: string): Promise<readonly Block[]> {
    const user = await this.#users.findByEmail(what)
    const name = user?.userId ?? addressKey(what) ?? what
    const lifted = (await this.list()).filter(({ key }) => key === name || key.split(' ').includes(name))
    if (lifted.length === 0) {
      throw new SetupError(
        'block_unknown',
        `Nothing of ${JSON.stringify(what)} is blocked.`,
        'See what is: bridgekeeper block list',
      )
    }
    for (const block of lifted) {
      await this.#stores.blocks.remove(block)
      if (block.kind === 'calls') await this.#stores.callTimes.forget(block.key)
      await this.#record({ event: 'block_lifted', kind: block.kind, key: block.key })
    }
    return lifted
  }
}
