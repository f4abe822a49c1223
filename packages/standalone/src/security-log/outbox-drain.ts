import type { System } from '@bridgekeeper/bridge'
import type { Outbox } from '../adapters/sql/outbox.ts'
import type { ChainedLog } from './security-log.ts'

const DRAIN_MS = 1_000

/**
 * Every second writes the events of the outbox to the log, and removes them once they are on disk. Errors are ignored: a
 * full or locked database must not end the node, and the next drain retries.
 */
export class OutboxDrain {
  readonly #outbox: Outbox
  readonly #log: ChainedLog
  readonly #system: System
  /** Ids of the last events that were written, and removed. */
  #writtenId = 0
  #removedId = 0
  #isClosed = false
  #cancel = (): void => {}
  #draining = Promise.resolve()
  #removing = Promise.resolve()

  constructor(outbox: Outbox, log: ChainedLog, system: System) {
    this.#outbox = outbox
    this.#log = log
    this.#system = system
  }

  /** Drains now, and every second. */
  start(): void {
    this.#draining = this.#drain().then(() => {
      if (!this.#isClosed) this.#cancel = this.#system.after(DRAIN_MS, () => this.start())
    })
  }

  /** Drains a last time, and closes the log. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#draining
    await this.#drain()
    await this.#log.close()
    await this.#removing
  }

  async #drain(): Promise<void> {
    await attempt(() => this.#write())
    const writtenId = this.#writtenId
    if (writtenId === this.#removedId) return
    this.#log.afterWritten(() => {
      if (this.#log.writable) this.#removing = attempt(() => this.#remove(writtenId))
    })
  }

  async #write(): Promise<void> {
    if (!this.#log.writable) return
    const waiting = await this.#outbox.after(this.#writtenId)
    for (const { event, atMs } of waiting) this.#log.recordAt(event, atMs)
    this.#writtenId = waiting.at(-1)?.id ?? this.#writtenId
  }

  async #remove(writtenId: number): Promise<void> {
    await this.#outbox.removeUpTo(writtenId)
    this.#removedId = writtenId
  }
}

async function attempt(act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch {}
}
