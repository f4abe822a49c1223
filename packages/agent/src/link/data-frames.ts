import { type DownFrame, type OpenFrame, type ToolExecuteFrame, unreachable } from '@bridgekeeper/protocol'
import type { ExchangeFrame, Exchanges } from '../exchanges/exchanges.ts'
import type { HeldBytes } from '../held-bytes.ts'
import { Payloads } from './payloads.ts'
import { type CallDeps, RunningCalls } from './running-calls.ts'
import type { Socket } from './socket.ts'
import { unreadableCallId } from './unreadable-call.ts'

/** A frame that only a verified bridge may send. */
type DataFrame = ToolExecuteFrame | Extract<DownFrame, { type: 'tool_cancel' }> | ExchangeFrame

export interface DataOptions extends Omit<CallDeps, 'send'> {
  readonly exchanges: Exchanges
  /** Memory for arguments that arrive. */
  readonly held: HeldBytes
}

/** Calls and exchanges of one connection, with their payloads. */
export class DataFrames {
  readonly #exchanges: Exchanges
  readonly #payloads: Payloads
  readonly #calls: RunningCalls
  #isOpen = false

  constructor(socket: Socket, options: DataOptions) {
    this.#exchanges = options.exchanges
    this.#payloads = new Payloads(socket, options.held)
    this.#calls = new RunningCalls({ ...options, send: (frame) => this.#payloads.send(frame) })
  }

  /** The bridge is verified. */
  begin(): void {
    this.#isOpen = true
    this.#exchanges.connected(
      (frame) => this.#payloads.send(frame),
      (id) => this.#payloads.isFlooding(id),
    )
  }

  /** Handles a frame, or a chunk. @returns whether the bridge may send it now */
  handle(message: DataFrame | Buffer): boolean {
    if (!this.#isOpen) return false
    if (Buffer.isBuffer(message)) return this.#payloads.takeChunk(message)
    this.#take(message)
    return true
  }

  /** @returns whether the bridge may grant that */
  credit(id: string, bytes: number): boolean {
    return this.#payloads.credit(id, bytes)
  }

  /** Answers a call that cannot be read, which would otherwise wait for its deadline. */
  refuse(frame: Buffer, detail: string): void {
    const id = this.#isOpen ? unreadableCallId(frame) : undefined
    if (id !== undefined) this.#calls.refuse(id, detail)
  }

  /** The connection has ended. */
  end(): void {
    // The callers already got `outcome_unknown`, so a running call can only do harm.
    this.#calls.cancelAll()
    this.#payloads.end()
    if (this.#isOpen) this.#exchanges.disconnected()
    this.#isOpen = false
  }

  #take(message: DataFrame): void {
    switch (message.type) {
      case 'tool_execute':
        return this.#run(message)
      case 'tool_cancel':
        this.#payloads.drop(message.id)
        return this.#calls.cancel(message.id)
      case 'open':
        return this.#open(message)
      case 'cancel':
      case 'detach':
      case 'done':
        this.#payloads.drop(message.id)
        return this.#exchanges.receive(message)
      case 'revoke':
      case 'end_session':
        return this.#exchanges.receive(message)
      default:
        return unreachable(message)
    }
  }

  /** Runs a call once its arguments are there. */
  #run({ bytes, ...call }: ToolExecuteFrame): void {
    if (bytes === undefined) return void this.#calls.run(call)
    const isRoom = this.#payloads.receive(call.id, bytes, (rawArgs, release) => {
      void this.#calls.run({ ...call, rawArgs }).then(release)
    })
    if (!isRoom) this.#calls.refuseLarge(call.id)
  }

  /** Opens an exchange once its message is there. */
  #open({ bytes, ...frame }: OpenFrame): void {
    if (bytes === undefined) return this.#exchanges.receive(frame)
    const isRoom = this.#payloads.receive(frame.id, bytes, (message, release) => {
      this.#exchanges.receive({ ...frame, message })
      release()
    })
    if (!isRoom) this.#exchanges.refuse(frame.id, 'too_many_calls')
  }
}
