import { stripVTControlCharacters } from 'node:util'
import {
  bytesAt,
  CLOSE_BRACE,
  cleanText,
  limits,
  OPEN_BRACE,
  type RawJson,
  stringAt,
} from '@bridgekeeper/protocol'
import type { HeldBytes } from '../held-bytes.ts'
import type { System } from '../system.ts'
import type { ServerMessage } from './instance.ts'
import { LineSplitter, type LongLine } from './lines.ts'
import { MessageReader } from './message-reader.ts'
import { RawCalls, type RawOutcome } from './raw-calls.ts'
import type { Reaper } from './reaper.ts'
import { idNumber, type Members } from './rpc-answer.ts'
import { answerLine, notificationLine } from './rpc-lines.ts'
import { ServerInput } from './server-input.ts'
import {
  type ProcessEnd,
  type Processes,
  type ProcessSpec,
  ServerProcess,
  type StopTimes,
} from './server-process.ts'

/** Reason why the transport of a server has ended. */
export type TransportEnd = ProcessEnd | { readonly kind: 'broken'; readonly detail: string }

export interface TransportDeps {
  readonly system: System
  readonly reaper: Reaper
  readonly processes: Processes
  readonly stopTimes: StopTimes
  /** Memory for long lines. */
  readonly held: HeldBytes
  readonly onStderr: (chunk: Buffer) => void
  /** Receives requests and notifications of the server, except pings, which are answered already. */
  readonly onMessage: (message: ServerMessage) => void
  /** Hides secrets in a text that was cut. */
  readonly hideCut: (text: string) => string
  /** Receives standard output that is not a message; `text` is its beginning, up to its first JSON. */
  readonly onIgnored: (reason: string, text: string) => void
}

/** Silence after which a message counts although its newline is missing. */
const NO_NEWLINE_MS = 200
/** Longest text of an ignored line that is shown. */
const SHOWN_CHARS = 200
const ID = /^(?:"|-?\d)/
const CARRIAGE_RETURN = 0x0d
const EMPTY = Buffer.from('{}')
/** Start of data in a log line. */
const DATA = /(?:\{|\[\s*["{]).*/s

/** JSON-RPC over the standard streams of one process. Payloads stay bytes. */
export class StdioTransport {
  /** Resolves when the process is gone. */
  readonly ended: Promise<TransportEnd>
  readonly #resolveEnded: (end: TransportEnd) => void
  readonly #spec: ProcessSpec
  readonly #deps: TransportDeps
  readonly #lines: LineSplitter
  readonly #input = new ServerInput({
    write: (line, read) => this.#process?.write(line, read),
    queuedBytes: () => this.#process?.queuedBytes ?? 0,
  })
  readonly #calls = new RawCalls(this.#input, (reason) => this.#deps.onIgnored(reason, ''))
  readonly #messages: MessageReader
  #process: ServerProcess | undefined
  #isRunning = false
  #broken: string | undefined
  #ignoredLines = 0
  #cancelUnfinished = () => {}

  constructor(spec: ProcessSpec, deps: TransportDeps) {
    this.#spec = spec
    this.#deps = deps
    const takeLong = (line: LongLine) => this.#takeLong(line)
    this.#lines = new LineSplitter(limits.payloadBytes, takeLong, deps.held)
    const handlers = {
      take: (message: Buffer, members: Members, amongNoise: boolean) =>
        this.#take(message, members, amongNoise),
      takeBroken: (text: Buffer) => this.#calls.takeBroken(text),
      takeLong,
      ignored: (text: Buffer) => this.#ignore('it is not a JSON-RPC message', text),
    }
    this.#messages = new MessageReader(handlers, limits.payloadBytes, deps.held)
    const { promise, resolve } = Promise.withResolvers<TransportEnd>()
    this.ended = promise
    this.#resolveEnded = resolve
  }

  /** Lines on its standard output that were no messages. */
  get ignoredLines(): number {
    return this.#ignoredLines
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  start(): void {
    this.#isRunning = true
    const child = new ServerProcess(
      this.#spec,
      {
        onStdout: (chunk) => this.#receive(chunk),
        onStderr: this.#deps.onStderr,
        onPipeEnd: (pipe) =>
          this.fail(`it closed its ${pipe === 'stdin' ? 'standard input' : 'standard output'}`),
      },
      this.#deps,
    )
    this.#process = child
    void child.ended.then((end) => {
      this.#isRunning = false
      this.#cancelUnfinished()
      const rest = this.#broken === undefined ? this.#lines.unfinished : undefined
      if (rest !== undefined) this.#messages.readLine(rest)
      this.#lines.end()
      this.#messages.end()
      this.#calls.endAll()
      this.#resolveEnded(this.#broken === undefined ? end : { kind: 'broken', detail: this.#broken })
    })
  }

  /** Ends the process; resolves when it is gone. */
  async close(): Promise<void> {
    await this.#process?.stop(this.#deps.stopTimes)
  }

  /** Gives the process up, with all calls, for a reason that `ended` will tell. */
  fail(detail: string): void {
    if (this.#broken !== undefined) return
    this.#broken = detail
    this.#calls.endAll()
    void this.close()
  }

  /**
   * Sends one request and keeps the answer as the server's bytes. Never rejects.
   *
   * @param params one JSON object
   * @param sent receives the request's id, before the server can answer
   */
  call(
    method: string,
    params: RawJson | undefined,
    signal: AbortSignal,
    sent?: (id: number) => void,
  ): Promise<RawOutcome> {
    return this.#calls.start(method, params, signal, sent)
  }

  /** Sends a notification. It is lost if the server does not read. @param params one JSON object */
  notify(method: string, params?: RawJson): void {
    if (!this.#input.hasRoom) return
    this.#calls.notified()
    this.#input.write(notificationLine(method, params))
  }

  /**
   * Answers a request of the server; gives up a server that does not read its answers.
   *
   * @param id JSON of the request's id
   * @param value one JSON object
   */
  answer(id: RawJson, member: 'result' | 'error', value: RawJson): void {
    if (this.#input.answer(answerLine(id, member, value))) return
    this.fail('it does not read the answers to its own requests')
  }

  #receive(chunk: Buffer): void {
    if (this.#broken !== undefined) return
    for (const line of this.#lines.push(chunk)) this.#messages.readLine(line)
    this.#cancelUnfinished()
    // A chunk that ends otherwise does not end a message.
    if (chunk.at(-1) === CLOSE_BRACE || chunk.at(-1) === CARRIAGE_RETURN)
      this.#cancelUnfinished = this.#deps.system.schedule(NO_NEWLINE_MS, () => this.#takeUnfinished())
  }

  /** Some servers write no newline behind a message. */
  #takeUnfinished(): void {
    const text = this.#lines.unfinished
    if (text !== undefined && this.#messages.readUnfinished(text)) this.#lines.end()
  }

  #take(message: Buffer, members: Members, amongNoise: boolean): boolean {
    if (this.#calls.take(message, members)) return true
    const method = stringAt(message, members.get('method'))
    if (method === undefined) return false
    const id = idOf(message, members)
    const isEcho = this.#calls.isEcho(idNumber(message, members.get('id')), method, amongNoise)
    // A log line in JSON may have a method too, such as "GET".
    if (isEcho || id === 'invalid' || !members.has('jsonrpc')) return false
    if (id !== undefined && method === 'ping') this.answer(id, 'result', EMPTY)
    else this.#deps.onMessage({ method, id, params: paramsOf(message, members), raw: message })
    return true
  }

  #takeLong(line: LongLine): void {
    if (this.#calls.takeLong(line, limits.payloadBytes)) return
    this.#ignore(`it has ${line.bytes} bytes, too many to keep`, line.head)
  }

  /**
   * Reports text that is not a message, up to where data may begin: results and arguments are never shown.
   */
  #ignore(reason: string, text: Buffer): void {
    this.#ignoredLines++
    const head = stripVTControlCharacters(this.#deps.hideCut(text.toString('utf8', 0, 4 * SHOWN_CHARS)))
    const shown = cleanText(head.replace(DATA, '{…')).trim().slice(0, SHOWN_CHARS)
    this.#deps.onIgnored(`a line of its standard output was ignored, because ${reason}`, shown)
  }
}

/** JSON of a request's id; `undefined` for a notification. */
function idOf(message: Buffer, members: Members): RawJson | undefined | 'invalid' {
  const id = bytesAt(message, members.get('id'))
  const text = id?.toString('utf8')
  if (text === undefined || text === 'null') return undefined
  return ID.test(text) ? id : 'invalid'
}

function paramsOf(message: Buffer, members: Members): RawJson | undefined {
  const params = bytesAt(message, members.get('params'))
  return params?.[0] === OPEN_BRACE ? params : undefined
}
