import type { System } from '../system.ts'

/** Why the link's loop looks at the world again. */
export type Wake = 'token' | 'opened' | 'verified' | 'ended' | 'catalog' | 'stop' | 'due' | 'slept'

/** How often a clock is looked at; with it, a sleep of the machine is seen soon after its end. */
const TICK_MS = 5_000
/** A timer that comes this much late did not run late: the machine slept. */
const LATE_MS = 10_000

/** What callbacks tell the loop, and what the loop waits for. */
export class Wakes {
  readonly #system: System
  readonly #reasons = new Set<Wake>()
  #notify: () => void = () => {}

  constructor(system: System) {
    this.#system = system
  }

  wake(reason: Wake): void {
    this.#reasons.add(reason)
    this.#notify()
  }

  /** Resolves with every reason since the last time, at the given instant at the latest. */
  async next(untilMs: number): Promise<ReadonlySet<Wake>> {
    while (this.#reasons.size === 0) await this.#tick(untilMs)
    const reasons = new Set(this.#reasons)
    this.#reasons.clear()
    return reasons
  }

  #tick(untilMs: number): Promise<void> {
    const nowMs = this.#system.nowMs()
    const tickMs = nowMs + Math.min(Math.max(untilMs - nowMs, 0), TICK_MS)
    return new Promise((resolve) => {
      const cancel = this.#system.schedule(tickMs - nowMs, () => {
        const firedMs = this.#system.nowMs()
        if (firedMs - tickMs > LATE_MS) this.#reasons.add('slept')
        if (firedMs >= untilMs) this.#reasons.add('due')
        this.#notify = () => {}
        resolve()
      })
      this.#notify = () => {
        cancel()
        this.#notify = () => {}
        resolve()
      }
    })
  }
}
