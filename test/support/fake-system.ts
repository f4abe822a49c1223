import type { System } from '@bridgekeeper/bridge'

/** Time that only the test advances, and randomness that counts up. */
export class FakeSystem implements System {
  #nowMs = 1_800_000_000_000
  #monotonicMs = 0
  #count = 0
  #timers: { readonly atMs: number; readonly run: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  randomBytes(countBytes: number): Buffer {
    const bytes = Buffer.alloc(countBytes)
    bytes.writeUInt32BE(++this.#count, countBytes - 4)
    return bytes
  }

  /** Timers that have not run and were not cancelled. */
  get armed(): number {
    return this.#timers.length
  }

  /** Sets the wall clock forward or back, as an operator or a time server does; no time passes. */
  stepWallClock(byMs: number): void {
    this.#nowMs += byMs
  }

  /** Moves both clocks, running each timer at its moment. */
  advance(durationMs: number): void {
    const untilMs = this.#monotonicMs + durationMs
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== due)
      this.#moveTo(Math.max(due.atMs, this.#monotonicMs))
      due.run()
    }
    this.#moveTo(untilMs)
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}
