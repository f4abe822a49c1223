import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answer-reader.ts'
import { type Address, beginSession, FIRST_ID, requestBytes } from './request.ts'
import { messagesOf, type Row } from './rows.ts'

const READ_BYTES = 65_536

/**
 * A caller over HTTP/1.1: one kept connection, one request in flight. It writes and reads the bytes itself,
 * since a general HTTP client costs more than the measured part.
 */
export class Lane {
  readonly #socket: Socket
  readonly #row: Row
  readonly #request: Buffer
  readonly #idAt: number
  readonly #answers = new AnswerReader()
  #id = FIRST_ID
  #sentAtMs = 0
  #untilMs = 0
  #latenciesMs: number[] = []
  #settle: { readonly done: () => void; readonly failed: (error: Error) => void } | undefined

  private constructor({ port }: Address, row: Row, request: Buffer) {
    const buffer = Buffer.alloc(READ_BYTES)
    const callback = (count: number) => {
      this.#read(buffer.subarray(0, count))
      return true
    }
    this.#row = row
    this.#request = request
    this.#idAt = request.lastIndexOf(String(FIRST_ID))
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } })
    this.#socket.on('error', (error) => this.fail(error.message))
    this.#socket.on('close', () => this.fail('the connection was closed'))
  }

  /** Connects for requests of this row, in a separate MCP session if the row needs one. The relay has none. */
  static async open(address: Address, row: Row): Promise<Lane> {
    const hasSession = row.kind !== 'call' && address.token !== undefined
    const session = hasSession ? await beginSession(address) : undefined
    const lane = new Lane(address, row, requestBytes(address, row, session))
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
    if (keep) this.#answers.keep()
    await new Promise<void>((done, failed) => {
      this.#settle = { done, failed }
      this.#send()
    })
    return this.#latenciesMs
  }

  /** Checks the kept answer whole: the JSON, its id, the payload's size, the number of notifications. */
  checkKept(): void {
    const messages = this.#answers.messages()
    const answer = messages.at(-1)
    const idOfRun = this.#id - this.#latenciesMs.length + 1
    const resultBytes = Buffer.byteLength(JSON.stringify(answer?.result ?? null))
    const isRight =
      answer?.jsonrpc === '2.0' && answer.id === idOfRun && resultBytes === this.#row.resultBytes
    if (isRight && messages.length === messagesOf(this.#row)) return
    throw new Error(`a wrong answer: ${JSON.stringify(messages).slice(0, 1_000)}`)
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
    try {
      if (this.#answers.read(bytes)) this.#answered()
    } catch (error) {
      this.fail(String(error))
    }
  }

  #answered(): void {
    const nowMs = performance.now()
    this.#latenciesMs.push(nowMs - this.#sentAtMs)
    if (nowMs < this.#untilMs) this.#send()
    else this.#settle?.done()
  }
}
