import { realSystem, type System } from '../../src/system.ts'

/** Timers of at least this length wait for the test. */
const HELD_MS = 1_000

/** Real clocks and short timers; long timers fire only when the test says so. */
export class HeldTimers implements System {
  readonly nowMs = realSystem.nowMs
  readonly monotonicMs = realSystem.monotonicMs
  readonly random = realSystem.random
  readonly #held = new Set<{ readonly delayMs: number; readonly run: () => void }>()

  readonly schedule = (delayMs: number, run: () => void) => {
    if (delayMs < HELD_MS) return realSystem.schedule(delayMs, run)
    const timer = { delayMs, run }
    this.#held.add(timer)
    return () => void this.#held.delete(timer)
  }

  /** Fires all timers of this length. @returns how many */
  fire(delayMs: number): number {
    const due = [...this.#held].filter((timer) => timer.delayMs === delayMs)
    for (const timer of due) this.#held.delete(timer)
    for (const { run } of due) run()
    return due.length
  }
}
