import type { DownFrame } from '@bridgekeeper/protocol'

/** Limits of what is held for one connection. */
export const MAX_EARLY = 1_024
export const MAX_EARLY_BYTES = 16 * 1_048_576

/** Frames of a bridge that has proved itself, held until that is stored; a chunk is a buffer. */
export class EarlyFrames {
  readonly #held: (DownFrame | Buffer)[] = []
  #bytes = 0

  /** @returns `false` if too many are held */
  hold(message: DownFrame | Buffer, frameBytes: number): boolean {
    this.#bytes += frameBytes
    if (this.#held.length >= MAX_EARLY || this.#bytes > MAX_EARLY_BYTES) return false
    this.#held.push(message)
    return true
  }

  /** In the order of their arrival. */
  get held(): readonly (DownFrame | Buffer)[] {
    return this.#held
  }
}
