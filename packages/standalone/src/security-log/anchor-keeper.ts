import type { System } from '@bridgekeeper/bridge'

const FOLLOW_MS = 100

/** Writes the anchor after the log: one write at a time, at the earliest 100 ms after a line. */
export class AnchorKeeper {
  readonly #system: System
  readonly #write: (done: () => void) => void
  #state: 'idle' | 'waiting' | 'writing' = 'idle'
  /** Whether a line was added during the write, which may not cover it. */
  #again = false
  #cancel = (): void => {}
  #whenIdle: (() => void) | undefined

  constructor(system: System, write: (done: () => void) => void) {
    this.#system = system
    this.#write = write
  }

  /** Schedules a write. Call it after each line. */
  follow(): void {
    if (this.#state === 'waiting') return
    if (this.#state === 'writing') {
      this.#again = true
      return
    }
    this.#state = 'waiting'
    this.#cancel = this.#system.after(FOLLOW_MS, () => this.#writeNow())
  }

  /** Cancels a scheduled write, and resolves after one in flight. Do not call `follow` afterwards. */
  close(): Promise<void> {
    this.#cancel()
    if (this.#state !== 'writing') return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle = resolve
    })
  }

  #writeNow(): void {
    this.#state = 'writing'
    this.#write(() => {
      this.#state = 'idle'
      if (this.#whenIdle !== undefined) return this.#whenIdle()
      if (!this.#again) return
      this.#again = false
      this.follow()
    })
  }
}
