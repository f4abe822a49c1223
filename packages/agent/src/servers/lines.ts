import type { HeldBytes } from '../held-bytes.ts'

const NEWLINE = 0x0a
/** Chunks to hold before they are joined: even a chunk of one byte takes about a hundred bytes of memory. */
const MAX_CHUNKS = 1_024
/** Bytes to keep of the beginning and the end of a line that is too long. */
export const HEAD_BYTES = 4_096
export const TAIL_BYTES = 512
/** A line takes memory from the common budget in steps of this, after the first step. */
const STEP_BYTES = 1_048_576

/** The two ends of a line that was too long to keep. */
export interface LongLine {
  readonly head: Buffer
  readonly tail: Buffer
  readonly bytes: number
  /** Whether it is over the maximum. Otherwise the agent had no memory for it. */
  readonly isTooLong: boolean
}

/**
 * Cuts a stream of bytes into lines. Does not decode it, so a character that arrives in two chunks stays
 * whole. Keeps only the two ends of a line over the maximum.
 */
export class LineSplitter {
  readonly #maxBytes: number
  readonly #held: HeldBytes | undefined
  readonly #onLong: (line: LongLine) => void
  /** Chunks that were joined. */
  #blocks: Buffer[] = []
  #chunks: Buffer[] = []
  #bytes = 0
  #heldBytes = 0
  #long: LongLine | undefined

  /**
   * @param onLong gets what is left of a line that was not kept, once it has ended
   * @param held limits the memory for long lines of many streams
   */
  constructor(maxBytes: number, onLong: (line: LongLine) => void = () => {}, held?: HeldBytes) {
    this.#maxBytes = maxBytes
    this.#onLong = onLong
    this.#held = held
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

  /** Bytes of a line before its newline has come; `undefined` without any, or if they are too many to keep. */
  get unfinished(): Buffer | undefined {
    // Nothing is held of a line that is too long, beyond its two ends.
    if (this.#bytes === 0) return undefined
    return Buffer.concat([...this.#blocks, ...this.#chunks])
  }

  /** The stream has ended, or somebody has read the unfinished line. */
  end(): void {
    this.#clear()
  }

  #add(part: Buffer): void {
    this.#chunks.push(part)
    this.#bytes += part.length
    if (this.#long !== undefined || this.#bytes > this.#maxBytes) this.#shorten(true)
    else if (!this.#hold()) this.#shorten(false)
    else if (this.#chunks.length > MAX_CHUNKS) {
      this.#blocks.push(Buffer.concat(this.#chunks))
      this.#chunks = []
    }
  }

  /** @returns whether there is memory for the line */
  #hold(): boolean {
    while (this.#held !== undefined && this.#bytes - this.#heldBytes > STEP_BYTES) {
      if (!this.#held.take(STEP_BYTES)) return false
      this.#heldBytes += STEP_BYTES
    }
    return true
  }

  /** Keeps the two ends of a line. */
  #shorten(isTooLong: boolean): void {
    const parts = [...this.#blocks, ...this.#chunks]
    const all = Buffer.concat(this.#long === undefined ? parts : [this.#long.tail, ...parts])
    const bytes = (this.#long?.bytes ?? 0) + this.#bytes
    const head = this.#long?.head ?? Buffer.from(all.subarray(0, HEAD_BYTES))
    const tail = Buffer.from(all.subarray(-TAIL_BYTES))
    const long = { head, tail, bytes, isTooLong: this.#long?.isTooLong ?? isTooLong }
    this.#clear()
    this.#long = long
  }

  #complete(rest: Buffer): Buffer | undefined {
    if (this.#bytes === 0 && this.#long === undefined && rest.length <= this.#maxBytes) return rest
    this.#add(rest)
    const long = this.#long
    const line = Buffer.concat([...this.#blocks, ...this.#chunks])
    this.#clear()
    if (long === undefined) return line
    this.#onLong(long)
    return undefined
  }

  #clear(): void {
    this.#blocks = []
    this.#chunks = []
    this.#bytes = 0
    this.#long = undefined
    this.#held?.give(this.#heldBytes)
    this.#heldBytes = 0
  }
}
