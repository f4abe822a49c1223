import { SlidingWindow } from './sliding-window.ts'

/** Lines per kind and key in a minute; further ones are only counted. */
export const LINES = { max: 20, windowMs: 60_000, maxKeys: 10_000 }

/** Count that a written line includes. */
interface Sampled {
  /** Lines of this key that were suppressed since the last written one; `undefined` if none. */
  readonly suppressed: number | undefined
}

/** Keeps a flood of refusals from becoming a flood of log lines. */
export class Sampler {
  readonly #written = new SlidingWindow(LINES)
  readonly #suppressed = new Map<string, number>()

  /**
   * Counts another line of this key.
   * @returns the count for the line; `undefined` if the line must be suppressed
   */
  take(key: string, nowMs: number): Sampled | undefined {
    const suppressed = this.#suppressed.get(key)
    if (this.#written.take(key, nowMs)) {
      this.#suppressed.delete(key)
      return { suppressed }
    }
    if (this.#suppressed.size >= LINES.maxKeys) this.#suppressed.clear()
    this.#suppressed.set(key, (suppressed ?? 0) + 1)
    return undefined
  }
}
