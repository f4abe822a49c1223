import { limits, objectMembers, parseJson, type RawJson } from '@bridgekeeper/protocol'
import { type JSONRPCMessage, parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/client'
import type { System } from '../system.ts'
import { LineSplitter } from './lines.ts'
import { RawCalls, type RawOutcome } from './raw-calls.ts'
import type { Reaper } from './reaper.ts'
import { ServerInput } from './server-input.ts'
import { type ProcessEnd, type ProcessSpec, ServerProcess, type StopTimes } from './server-process.ts'

/** Why a server is of no use any more, as far as its transport can tell. */
export type TransportEnd = ProcessEnd | { readonly kind: 'broken'; readonly detail: string }

export interface TransportDeps {
  readonly system: System
  readonly reaper: Reaper
  readonly stopTimes: StopTimes
  readonly onStderr: (chunk: Buffer) => void
}

/**
 * The SDK's transport contract over the standard streams of one process, and beside it `call`, whose
 * payloads are never parsed.
 */
export class StdioTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: <T extends JSONRPCMessage>(message: T) => void

  /** Resolves when the process is gone. */
  readonly ended: Promise<TransportEnd>
  readonly #resolveEnded: (end: TransportEnd) => void
  readonly #spec: ProcessSpec
  readonly #deps: TransportDeps
  readonly #lines = new LineSplitter(limits.frameBytes)
  readonly #input = new ServerInput({
    write: (line, read) => this.#process?.write(line, read),
    queuedBytes: () => this.#process?.queuedBytes ?? 0,
  })
  readonly #calls = new RawCalls(this.#input)
  #process: ServerProcess | undefined
  #isRunning = false
  #broken: string | undefined
  #ignoredLines = 0

  constructor(spec: ProcessSpec, deps: TransportDeps) {
    this.#spec = spec
    this.#deps = deps
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

  async start(): Promise<void> {
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
      this.#calls.endAll()
      this.#resolveEnded(this.#broken === undefined ? end : { kind: 'broken', detail: this.#broken })
      this.onclose?.()
    })
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(message)}\n`)
    if (!this.#input.answer(line)) this.fail('it does not read the answers to its own requests')
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
   */
  call(method: string, params: RawJson, signal: AbortSignal): Promise<RawOutcome> {
    return this.#calls.start(method, params, signal)
  }

  #receive(chunk: Buffer): void {
    if (this.#broken !== undefined) return
    const lines = this.#lines.push(chunk)
    if (lines === undefined) return this.fail(`it wrote a line of more than ${limits.frameBytes} bytes`)
    for (const line of lines) this.#receiveLine(line)
  }

  #receiveLine(line: Buffer): void {
    if (this.#calls.take(line, objectMembers(line))) return
    const message = parseMessage(line)
    if (message === undefined) this.#ignoredLines++
    else this.onmessage?.(message)
  }
}

function parseMessage(line: Buffer): JSONRPCMessage | undefined {
  const json = parseJson(line.toString('utf8'))
  if (json === undefined) return undefined
  try {
    return parseJSONRPCMessage(json.value)
  } catch {
    return undefined
  }
}
