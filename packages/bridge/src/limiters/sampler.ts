import { SlidingWindow } from './sliding-window.ts'

/** Lines per kind and key in a minute; further ones are only counted. */
export const LINES = { max: 20, windowMs: 60_000, maxKeys: 10_000 }

/** Keeps a flood of refusals from becoming a flood of log lines. */
export class Sampler {
  readonly #written = new SlidingWindow(LINES)
  readonly #suppressed = new Map<string, number>()

  /**
   * Whether to write another line for this key.
   * @returns lines suppressed since the last written one; `undefined` to suppress this one too
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
