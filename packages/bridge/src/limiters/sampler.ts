import { SlidingWindow } from './sliding-window.ts'

/** Lines of one kind that one key may write in a minute; what is more is counted. */
export const LINES = { max: 20, windowMs: 60_000, maxKeys: 10_000 }

/** Keeps a flood of refusals from becoming a flood of lines. */
export class Sampler {
  readonly #written = new SlidingWindow(LINES)
  readonly #suppressed = new Map<string, number>()

  /**
   * Whether to write one more line of this key.
   * @returns how many were passed over since the last one; `undefined` when this one is passed over too
   */
  take(key: string, nowMs: number): number | undefined {
    const passedOver = this.#suppressed.get(key) ?? 0
    if (this.#written.take(key, nowMs)) {
      this.#suppressed.delete(key)
      return passedOver
    }
    if (this.#suppressed.size >= LINES.maxKeys) this.#suppressed.clear()
    this.#suppressed.set(key, passedOver + 1)
    return undefined
  }
}
