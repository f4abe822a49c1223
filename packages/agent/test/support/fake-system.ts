import type { System } from '../../src/system.ts'

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** Clocks that only the test moves. `random` gives the largest number, so that waits are at their longest. */
export class FakeSystem implements System {
  #nowMs = 1_000_000
  #wallAheadMs = 1_700_000_000_000
  readonly #timers = new Set<Timer>()
  readonly random = () => 1 - Number.EPSILON
  readonly monotonicMs = () => this.#nowMs
  readonly nowMs = () => this.#nowMs + this.#wallAheadMs

  readonly schedule = (delayMs: number, run: () => void) => {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Advances the clock, runs due timers on the way, and lets promises settle after each step. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    for (;;) {
      await settle()
      const next = [...this.#timers]
        .filter(({ atMs }) => atMs <= endMs)
        .toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.#timers.delete(next)
      next.run()
    }
    this.#nowMs = endMs
    await settle()
  }

  /** Sets the wall clock only, as its user or a time server does, and as a sleep does on Linux. */
  stepWall(byMs: number): void {
    this.#wallAheadMs += byMs
  }

  /** Moves both clocks as a sleep of the machine does: all timers fire late, at once. */
  async sleep(durationMs: number): Promise<void> {
    this.#nowMs += durationMs
    await this.advance(0)
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
