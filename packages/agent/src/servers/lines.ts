const NEWLINE = 0x0a
/** Chunks to hold before they are joined: even a chunk of one byte takes about a hundred bytes of memory. */
const MAX_CHUNKS = 1_024
/** Bytes to keep of the beginning and the end of a line that is too long. */
const HEAD_BYTES = 4_096
const TAIL_BYTES = 512

/** A line that was too long to keep. */
export interface LongLine {
  readonly head: Buffer
  readonly tail: Buffer
  readonly bytes: number
}

/**
 * Cuts a stream of bytes into lines. Does not decode it, so a character that arrives in two chunks stays
 * whole. Keeps only the two ends of a line over the maximum.
 */
export class LineSplitter {
  readonly #maxBytes: number
  readonly #onLong: (line: LongLine) => void
  #chunks: Buffer[] = []
  #bytes = 0
  #long: LongLine | undefined

  /** @param onLong gets what is left of a line over the maximum, once it has ended */
  constructor(maxBytes: number, onLong: (line: LongLine) => void = () => {}) {
    this.#maxBytes = maxBytes
    this.#onLong = onLong
  }

  /** @returns the lines that this chunk completes, without their newline */
  push(chunk: Buffer): readonly Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#complete(chunk.subarray(start, end))
      if (line !== undefined) lines.push(line)
      start = end + 1
    }
    if (start < chunk.length) this.#add(chunk.subarray(start))
    return lines
  }

  #add(part: Buffer): void {
    this.#chunks.push(part)
    this.#bytes += part.length
    if (this.#long !== undefined || this.#bytes > this.#maxBytes) this.#shorten()
    else if (this.#chunks.length > MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)]
  }

  /** Keeps the two ends of a line that is too long. */
  #shorten(): void {
    const all = Buffer.concat(this.#long === undefined ? this.#chunks : [this.#long.tail, ...this.#chunks])
    const bytes = (this.#long?.bytes ?? 0) + this.#bytes
    const head = this.#long?.head ?? Buffer.from(all.subarray(0, HEAD_BYTES))
    this.#long = { head, tail: Buffer.from(all.subarray(-TAIL_BYTES)), bytes }
    this.#chunks = []
    this.#bytes = 0
  }

  #complete(rest: Buffer): Buffer | undefined {
    if (this.#chunks.length === 0 && this.#long === undefined && rest.length <= this.#maxBytes) return rest
    this.#chunks.push(rest)
    this.#bytes += rest.length
    if (this.#long !== undefined || this.#bytes > this.#maxBytes) this.#shorten()
    const long = this.#long
    const line = Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#bytes = 0
    this.#long = undefined
    if (long === undefined) return line
    this.#onLong(long)
    return undefined
  }
}
