const HEAD_END = '\r\n\r\n'
const STATUS_OK = 'HTTP/1.1 200 '
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i
const CHUNKED = /\r\ntransfer-encoding: *chunked/i
const LINE_END = '\r\n'
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n')
const DATA = 'data: {'
const NOTHING = Buffer.alloc(0)

/** Reads the answers of one connection over HTTP/1.1: a JSON text of known length, or a stream of events in chunks. */
export class AnswerReader {
  /** The part of a head that has arrived. */
  #head: Buffer = NOTHING
  /** Missing bytes of the body; `undefined` until its head is read. */
  #leftBytes: number | undefined
  /** Length of every body of known length: that of the first, which is checked whole. */
  #bodyBytes: number | undefined
  #isChunked = false
  /** The last bytes of a body in chunks. */
  #tail: Buffer = NOTHING
  /** Parts of the body to be checked whole. */
  #kept: Buffer[] = []
  #isKeeping = false

  /** Keeps the body of the next answer. */
  keep(): void {
    this.#kept = []
    this.#isKeeping = true
  }

  /** @returns whether the answer is complete @throws Error if it is not an expected one */
  read(bytes: Buffer): boolean {
    const part = this.#leftBytes === undefined ? this.#readHead(bytes) : bytes
    if (part === undefined || this.#leftBytes === undefined) return false
    if (this.#isKeeping) this.#kept.push(Buffer.from(part))
    this.#leftBytes -= part.length
    if (this.#leftBytes < 0) throw new Error('more came than the answer')
    if (this.#isChunked ? !this.#endsWith(part) : this.#leftBytes > 0) return false
    this.#leftBytes = undefined
    this.#isKeeping = false
    return true
  }

  /** The JSON-RPC messages of the kept answer. */
  messages(): readonly { readonly jsonrpc?: unknown; readonly id?: unknown; readonly result?: unknown }[] {
    const body = Buffer.concat(this.#kept)
    if (!this.#isChunked && body.length !== this.#bodyBytes) throw new Error('answers differ in length')
    if (!this.#isChunked) return [JSON.parse(body.toString())]
    const lines = withoutChunks(body).toString().split('\n')
    return lines
      .filter((line) => line.startsWith(DATA))
      .map((line) => JSON.parse(line.slice(DATA.length - 1)))
  }

  /** @returns what follows the head, or `undefined` if the head is not complete */
  #readHead(bytes: Buffer): Buffer | undefined {
    const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes])
    const end = head.indexOf(HEAD_END)
    this.#head = end === -1 ? Buffer.from(head) : NOTHING
    if (end === -1) return undefined
    const text = head.toString('latin1', 0, end)
    this.#isChunked = CHUNKED.test(text)
    this.#tail = NOTHING
    const bodyBytes = this.#isChunked ? Number.POSITIVE_INFINITY : Number(CONTENT_LENGTH.exec(text)?.[1])
    this.#bodyBytes ??= bodyBytes
    if (!text.startsWith(STATUS_OK) || bodyBytes !== this.#bodyBytes)
      throw new Error(`an unexpected answer: ${head.subarray(0, 1_000)}`)
    this.#leftBytes = bodyBytes
    return head.subarray(end + HEAD_END.length)
  }

  /** Whether the body in chunks ends with this part. No event of the benchmark holds these bytes. */
  #endsWith(part: Buffer): boolean {
    const { length } = LAST_CHUNK
    this.#tail =
      part.length < length ? Buffer.concat([this.#tail, part]) : Buffer.from(part.subarray(-length))
    this.#tail = this.#tail.subarray(-length)
    return this.#tail.equals(LAST_CHUNK)
  }
}

/** A body without its chunks' sizes (RFC 9112 section 7.1). */
function withoutChunks(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const start = body.indexOf(LINE_END, at) + LINE_END.length
    const sizeBytes = Number.parseInt(body.toString('latin1', at, start), 16)
    if (sizeBytes === 0) return Buffer.concat(parts)
    if (!(start + sizeBytes < body.length)) throw new Error('a broken chunk')
    parts.push(body.subarray(start, start + sizeBytes))
    at = start + sizeBytes + LINE_END.length
  }
}
