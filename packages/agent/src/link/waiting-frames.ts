/** Frames that wait for the network, in number and bytes. */
interface Waiting {
  frames: number
  bytes: number
}

/** Waiting frames of all exchanges, beyond which each may have its share only. */
export const CROWDED: Readonly<Waiting> = { frames: 4_096, bytes: 16 * 1_048_576 }
/** Share of one exchange: so little that all that may be open fit into the limits of the connection. */
export const SHARE: Readonly<Waiting> = { frames: 32, bytes: 131_072 }

/**
 * [LINK.35] Counts the frames of each exchange that the network has not taken. So a server that sends more than the bridge
 * reads ends its own exchanges, and not the connection with those of all others.
 */
export class WaitingFrames {
  readonly #all: Waiting = { frames: 0, bytes: 0 }
  readonly #ofExchange = new Map<string, Waiting>()

  /** Counts a frame. @returns call it once the network has taken the frame */
  add(id: string, bytes: number): () => void {
    const own = this.#ofExchange.get(id) ?? { frames: 0, bytes: 0 }
    this.#ofExchange.set(id, own)
    for (const waiting of [this.#all, own]) {
      waiting.frames++
      waiting.bytes += bytes
    }
    return () => {
      for (const waiting of [this.#all, own]) {
        waiting.frames--
        waiting.bytes -= bytes
      }
      if (own.frames === 0) this.#ofExchange.delete(id)
    }
  }

  /** Whether an exchange has more than its share while too much waits. */
  exceeds(id: string): boolean {
    const own = this.#ofExchange.get(id)
    return own !== undefined && isOver(this.#all, CROWDED) && isOver(own, SHARE)
  }
}

function isOver({ frames, bytes }: Waiting, limit: Waiting): boolean {
  return frames > limit.frames || bytes > limit.bytes
}
