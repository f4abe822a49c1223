import type { SlidingWindow } from '../limiters/sliding-window.ts'
import type { CallTimesStore, System } from '../ports.ts'

/** Calls of the last moments before a kill may be forgotten: this long. */
const SAVE_MS = 1_000

/** Keeps the times of calls over a restart, so that a restart gives no fresh limit. */
export class DurableCallTimes {
  readonly #store: CallTimesStore | undefined
  readonly #window: SlidingWindow
  readonly #system: System
  #savedAtMs = Number.NEGATIVE_INFINITY
  #closed = false
  #cancelTimer = (): void => {}

  constructor(store: CallTimesStore | undefined, window: SlidingWindow, system: System) {
    this.#store = store
    this.#window = window
    this.#system = system
  }

  /** Loads the stored times. Rejects if the store is unavailable. */
  async start(): Promise<void> {
    if (this.#store === undefined) return
    const wallMs = this.#system.nowMs()
    const nowMs = this.#system.monotonicMs()
    for (const [userId, calledAtMs] of await this.#store.load(wallMs - this.#window.windowMs)) {
      const agesMs = calledAtMs.map((atMs) => wallMs - atMs)
      this.#window.restore(userId, agesMs, nowMs)
    }
    this.#schedule()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer()
    // A failure here must not keep the rest from closing.
    await this.#save().catch(() => {})
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancelTimer = this.#system.after(SAVE_MS, () => {
      const again = (): void => this.#schedule()
      this.#save().then(again, again)
    })
  }

  async #save(): Promise<void> {
    if (this.#store === undefined) return
    const wallMs = this.#system.nowMs()
    const nowMs = this.#system.monotonicMs()
    const changed = [...this.#window.agesMs(nowMs, this.#savedAtMs)].map(
      ([userId, agesMs]) => [userId, agesMs.map((ageMs) => Math.round(wallMs - ageMs))] as const,
    )
    if (changed.length > 0) await this.#store.save(changed)
    this.#savedAtMs = nowMs
  }
}
