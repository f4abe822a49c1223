import { connect, type Socket } from 'node:net'
import { toolOf } from './payload.ts'

/** Address and token of calls. */
export interface Address {
  readonly port: number
  readonly token: string | undefined
}

/** All ids have as many digits, so that all requests have one length and all answers too. */
const FIRST_ID = 1_000_000
const READ_BYTES = 65_536
const HEAD_END = '\r\n\r\n'
const STATUS_OK = 'HTTP/1.1 200 '
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i
const NOTHING = Buffer.alloc(0)

/**
 * A caller over HTTP/1.1: one kept connection, one request in flight. It writes and reads the bytes itself,
 * since a general HTTP client costs more than the measured part.
 */
export class Lane {
  readonly #socket: Socket
  readonly #request: Buffer
  readonly #idAt: number
  readonly #resultBytes: number
  #id = FIRST_ID
  #sentAtMs = 0
  #untilMs = 0
  #latenciesMs: number[] = []
  #settle: { readonly done: () => void; readonly failed: (error: Error) => void } | undefined
  /** The part of a head that has arrived. */
  #head: Buffer = NOTHING
  /** Missing bytes of the body; `undefined` until its head is read. */
  #leftBytes: number | undefined
  /** The length of every body, known from the first, which is checked whole. */
  #bodyBytes: number | undefined
  /** The first answer of a run, when it is to be checked whole. */
  #kept: Buffer[] | undefined
  #keeping = false

  private constructor(address: Address, resultBytes: number) {
    const buffer = Buffer.alloc(READ_BYTES)
    const callback = (count: number) => {
      this.#read(buffer.subarray(0, count))
      return true
    }
    this.#resultBytes = resultBytes
    this.#request = requestBytes(address, resultBytes)
    this.#idAt = this.#request.lastIndexOf(String(FIRST_ID))
    this.#socket = connect({
      host: '127.0.0.1',
      port: address.port,
      noDelay: true,
      onread: { buffer, callback },
    })
    this.#socket.on('error', (error) => this.fail(error.message))
    this.#socket.on('close', () => this.fail('the connection was closed'))
  }

  /** Connects, for calls that are answered with so many bytes. */
  static async open(address: Address, resultBytes: number): Promise<Lane> {
    const lane = new Lane(address, resultBytes)
    await new Promise<void>((done, failed) => {
      lane.#settle = { done, failed }
      lane.#socket.on('connect', done)
    })
    return lane
  }

  /**
   * Calls again and again until that moment of `performance.now()`, and waits for the last answer.
   *
   * @param keep whether to keep the first answer for `checkKept`
   */
  async run(untilMs: number, keep: boolean): Promise<readonly number[]> {
    if (this.#socket.destroyed) throw new Error('the connection was closed between two runs')
    this.#untilMs = untilMs
    this.#latenciesMs = []
    this.#keeping = keep
    this.#kept = keep ? [] : undefined
    await new Promise<void>((done, failed) => {
      this.#settle = { done, failed }
      this.#send()
    })
    return this.#latenciesMs
  }

  /** Checks the kept answer whole: the JSON, its id, the payload's size. */
  checkKept(): void {
    if (this.#kept === undefined) return
    const body = Buffer.concat(this.#kept)
    const answer = JSON.parse(body.toString())
    const idOfRun = this.#id - this.#latenciesMs.length + 1
    const resultBytes = Buffer.byteLength(JSON.stringify(answer.result))
    if (answer.jsonrpc !== '2.0' || answer.id !== idOfRun || resultBytes !== this.#resultBytes) {
      throw new Error(`a wrong answer: ${body.subarray(0, 500)}`)
    }
    if (this.#bodyBytes !== body.length) throw new Error('answers differ in length')
  }

  /** Gives the call in flight up. */
  fail(why: string): void {
    this.#settle?.failed(new Error(why))
    this.#socket.destroy()
  }

  close(): void {
    this.#socket.destroy()
  }

  #send(): void {
    this.#request.write(String(++this.#id), this.#idAt, 'latin1')
    this.#sentAtMs = performance.now()
    this.#socket.write(this.#request)
  }

  #read(bytes: Buffer): void {
    const part = this.#leftBytes === undefined ? this.#readHead(bytes) : bytes
    if (part === undefined || this.#leftBytes === undefined) return
    if (this.#keeping) this.#kept?.push(Buffer.from(part))
    this.#leftBytes -= part.length
    if (this.#leftBytes < 0) this.fail('more came than the answer')
    else if (this.#leftBytes === 0) this.#answered()
  }

  /** @returns what follows the head, or `undefined` when the head is not whole, or wrong. */
  #readHead(bytes: Buffer): Buffer | undefined {
    const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes])
    const end = head.indexOf(HEAD_END)
    this.#head = end === -1 ? Buffer.from(head) : NOTHING
    if (end === -1) return undefined
    const text = head.toString('latin1', 0, end)
    const bodyBytes = Number(CONTENT_LENGTH.exec(text)?.[1])
    this.#bodyBytes ??= bodyBytes
    if (!text.startsWith(STATUS_OK) || bodyBytes !== this.#bodyBytes) {
      this.fail(`an unexpected answer: ${head.subarray(0, 1_000)}`)
      return undefined
    }
    this.#leftBytes = bodyBytes
    return head.subarray(end + HEAD_END.length)
  }

  #answered(): void {
    const nowMs = performance.now()
    this.#latenciesMs.push(nowMs - this.#sentAtMs)
    this.#leftBytes = undefined
    this.#keeping = false
    if (nowMs < this.#untilMs) this.#send()
    else this.#settle?.done()
  }
}

function requestBytes({ port, token }: Address, resultBytes: number): Buffer {
  const params = { name: toolOf(resultBytes), arguments: { path: 'notes/today.md', limit: 20 } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: FIRST_ID, method: 'tools/call', params })
  const head = [
    'POST /mcp/bench HTTP/1.1',
    `host: 127.0.0.1:${port}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    'mcp-protocol-version: 2025-11-25',
    ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
    `content-length: ${body.length}`,
  ]
  return Buffer.from(head.join('\r\n') + HEAD_END + body)
}
