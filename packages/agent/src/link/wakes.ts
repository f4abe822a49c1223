import type { System } from '../system.ts'

/** Reasons for the link's loop to run. */
export type Wake = 'token' | 'opened' | 'verified' | 'ended' | 'catalog' | 'stop' | 'due' | 'slept'

/** Interval at which clocks are compared, to notice soon that the machine slept. */
const TICK_MS = 5_000
/** A timer that comes this much late, or a wall clock this much ahead of it: the machine slept. */
const LATE_MS = 10_000

/** Callbacks set reasons here; the loop waits for one. */
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

  /** Resolves with every reason since the last time, at the given instant of the monotonic clock at the latest. */
  async next(untilMs: number): Promise<ReadonlySet<Wake>> {
    while (this.#reasons.size === 0) await this.#tick(untilMs)
    const reasons = new Set(this.#reasons)
    this.#reasons.clear()
    return reasons
  }

  async #tick(untilMs: number): Promise<void> {
    const { nowMs, monotonicMs } = this.#system
    const startMs = monotonicMs()
    const wallStartMs = nowMs()
    const delayMs = Math.min(Math.max(untilMs - startMs, 0), TICK_MS)
    await this.#delay(delayMs)
    const passedMs = monotonicMs() - startMs
    // If the monotonic clock pauses during sleep, only the wall clock shows it.
    const sleptMs = Math.max(passedMs - delayMs, nowMs() - wallStartMs - passedMs)
    if (sleptMs > LATE_MS) this.#reasons.add('slept')
    if (startMs + passedMs >= untilMs) this.#reasons.add('due')
  }

  /** Resolves after the delay, or with the next reason. */
  #delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        cancel()
        this.#notify = () => {}
        resolve()
      }
      const cancel = this.#system.schedule(delayMs, finish)
      this.#notify = finish
    })
  }
}
