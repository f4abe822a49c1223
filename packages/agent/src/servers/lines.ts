const NEWLINE = 0x0a
/** A chunk of one byte takes a hundred bytes of memory: so many are joined. */
const MAX_CHUNKS = 1_024

/**
 * Cuts a stream of bytes into lines without decoding it: a character that arrives in two chunks stays
 * whole, and a long line is copied once where its chunks are large.
 */
export class LineSplitter {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * @returns the lines that this chunk completes, without their newline, or `undefined` when a line
   * grew over the maximum; what was read of it is dropped then
   */
  push(chunk: Buffer): readonly Buffer[] | undefined {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#complete(chunk.subarray(start, end))
      if (line.length > this.#maxBytes) return undefined
      lines.push(line)
      start = end + 1
    }
    if (start < chunk.length) this.#chunks.push(chunk.subarray(start))
    if (this.#chunks.length > MAX_CHUNKS) this.#chunks = [Buffer.concat(this.#chunks)]
    this.#bytes += chunk.length - start
    if (this.#bytes <= this.#maxBytes) return lines
    this.#clear()
    return undefined
  }

  #complete(rest: Buffer): Buffer {
    if (this.#chunks.length === 0) return rest
    const line = Buffer.concat([...this.#chunks, rest])
    this.#clear()
    return line
  }

  #clear(): void {
    this.#chunks = []
    this.#bytes = 0
  }
}
