import {
  BridgeError,
  discard,
  type Payload,
  type PayloadStream,
  type RawJson,
  readWhole,
  unreachable,
} from '@bridgekeeper/protocol'
import type { ExchangeEnd, ExchangeReader, OpenExchange } from '../exchanges/exchange.ts'
import { denialError } from '../gates/verdict.ts'
import type { System } from '../ports.ts'
import { eventIdOf } from './event-id.ts'
import { EventStream } from './event-stream.ts'
import type { OpenRequest } from './open-request.ts'
import type { Pieces } from './pieces.ts'
import { errorJson, type Reply, rpcParts } from './reply.ts'
import { guarded } from './respond.ts'

/** Time after which a caller that waits gets the head of a stream, and then a comment now and then. */
export const BEGIN_MS = 5_000
/** Time that the machine has to refuse a request with a status, before a resumable stream begins. */
const PRIME_MS = 500

/**
 * - `none`: the caller gets one answer.
 * - `plain`: messages come before the answer.
 * - `numbered`: they have event ids, so that the caller can read on after a cut.
 * - `primed`: the stream begins with an event id, before the first message.
 */
export type Events = 'none' | 'plain' | 'numbered' | 'primed'

/** How an exchange is answered over HTTP. */
export interface StreamPlan {
  /** The caller's JSON-RPC id. */
  readonly id: RawJson
  readonly events: Events
  /** Whether the exchange goes on without its caller. */
  readonly outlives: boolean
  /** Changes the answer. @returns `undefined` if it is invalid */
  readonly edit: ((answer: RawJson) => RawJson | undefined) | undefined
  /** Adds what a small answer lacks. A large one passes while it arrives. */
  readonly complete: ((answer: RawJson) => RawJson) | undefined
  /** The answer is about to be sent. */
  readonly answered?: (status: number, answer: RawJson) => void
  /** The result in place of an error, if there is one. */
  readonly resultOf?: ((error: BridgeError) => RawJson | undefined) | undefined
  /** Sends an error in place of an answer. */
  readonly refuse: (error: BridgeError) => void
}

/**
 * Answers one request: with one JSON text if the answer comes first, otherwise with a stream.
 * [STREAM.2] A caller that leaves a request of an MCP session may come back; any other request is cancelled.
 */
export class StreamReply implements ExchangeReader {
  readonly #open: OpenRequest
  readonly #reply: Reply
  readonly #plan: StreamPlan
  readonly #system: System
  readonly #stream: EventStream
  #exchange: OpenExchange | undefined
  #hasEnded = false
  #lastEventId: string | undefined
  #cancelTimer = (): void => {}

  constructor(open: OpenRequest, reply: Reply, plan: StreamPlan, system: System) {
    this.#open = open
    this.#reply = reply
    this.#plan = plan
    this.#system = system
    this.#stream = new EventStream(open, system)
  }

  /** Call it with the exchange that this reader was opened for. */
  follow(exchange: OpenExchange): void {
    this.#exchange = exchange
    if (this.#hasEnded) return
    const { id, events, outlives } = this.#plan
    const leave = (): void => this.#leave()
    if (outlives) this.#open.onEnd(leave)
    else this.#open.runs(id, leave)
    if (events === 'primed') this.#beginAfter(PRIME_MS)
  }

  accepted(): void {
    if (this.#hasEnded || this.#stream.hasBegun) return
    const { events } = this.#plan
    if (events === 'primed') this.#beginAfter(0)
    else if (events !== 'none') this.#beginAfter(BEGIN_MS)
  }

  message(message: Payload, number: number | undefined): void {
    guarded(this.#open.response, () => {
      if (this.#open.isGone || this.#plan.events === 'none') return discard(message)
      this.#prime()
      this.#stream.message([message], this.#eventId(number))
    })
  }

  ended(end: ExchangeEnd): void {
    this.#hasEnded = true
    this.#cancelTimer()
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#end(end)
    })
  }

  #end(end: ExchangeEnd): void {
    if (end.kind !== 'cut') this.#open.response.once('finish', () => this.#exchange?.done())
    switch (end.kind) {
      case 'answered':
        return this.#answer(end.status, end.message, end.number)
      case 'failed':
        return this.#fail(end.error)
      case 'cut':
        return this.#cut(end.error)
      default:
        return unreachable(end)
    }
  }

  #answer(status: number, message: Payload | undefined, number: number | undefined): void {
    const { id, edit, complete, answered } = this.#plan
    if (message !== undefined && !Buffer.isBuffer(message)) return this.#answerLarge(status, message, number)
    const edited = message === undefined || edit === undefined ? message : edit(message)
    const answer = edited && complete ? complete(edited) : edited
    if (answer === undefined) return this.#fail(new BridgeError('result_invalid'))
    if (this.#stream.hasBegun) return this.#endStream([answer], this.#eventId(number))
    answered?.(status, answer)
    this.#reply.whole(id, answer, status)
    this.#open.sent()
  }

  /** Passes an answer on while it arrives, unless it must be whole first. */
  #answerLarge(status: number, message: PayloadStream, number: number | undefined): void {
    const { id, edit, answered } = this.#plan
    if (edit === undefined && answered === undefined) {
      if (this.#stream.hasBegun) return this.#endStream([message], this.#eventId(number))
      return this.#reply.large(id, [message], status, () => this.#open.sent())
    }
    const refused = this.#open.hold(message.sizeBytes)
    if (refused !== undefined) {
      this.#exchange?.cancel()
      return this.#fail(denialError(refused))
    }
    readWhole(message, (whole) =>
      guarded(this.#open.response, () => {
        if (this.#open.isGone) return
        if (whole === undefined) this.#fail(new BridgeError('outcome_unknown'))
        else this.#answer(status, whole, number)
      }),
    )
  }

  #fail(error: BridgeError): void {
    const { id, resultOf, refuse } = this.#plan
    const result = resultOf?.(error)
    if (this.#stream.hasBegun && result !== undefined) return this.#endStream(rpcParts(id, 'result', result))
    if (this.#stream.hasBegun) return this.#endStream(rpcParts(id, 'error', errorJson(error)))
    if (result === undefined) refuse(error)
    else this.#reply.result(id, result)
    this.#open.sent()
  }

  /** [STREAM.3] The stream ends without an answer, and its caller reads on. Without an event id it cannot. */
  #cut(error: BridgeError): void {
    this.#prime()
    if (this.#lastEventId === undefined) this.#fail(error)
    else this.#stream.end()
  }

  #endStream(parts: Pieces, eventId?: string): void {
    this.#stream.message(parts, eventId)
    this.#stream.end()
  }

  /** @param waitMs 0 begins now */
  #beginAfter(waitMs: number): void {
    this.#cancelTimer()
    const begin = (): void =>
      guarded(this.#open.response, () => {
        if (this.#open.isGone || this.#stream.hasBegun) return
        if (!this.#prime() && this.#plan.events !== 'primed') this.#stream.comment()
      })
    if (waitMs === 0) begin()
    else this.#cancelTimer = this.#system.after(waitMs, begin)
  }

  /** Begins a resumable stream. @returns whether it is one */
  #prime(): boolean {
    const eventId = this.#plan.events === 'primed' ? this.#eventId(0) : undefined
    if (eventId === undefined) return false
    if (!this.#stream.hasBegun) this.#stream.prime(eventId)
    return true
  }

  #eventId(number: number | undefined): string | undefined {
    const { events } = this.#plan
    const id = this.#exchange?.id
    if (number === undefined || id === undefined || (events !== 'numbered' && events !== 'primed'))
      return undefined
    const request = { id: this.#plan.id, isCall: this.#plan.resultOf !== undefined }
    this.#lastEventId = eventIdOf(id, number, request)
    return this.#lastEventId
  }

  #leave(): void {
    this.#cancelTimer()
    // A revoked login cannot come back.
    if (this.#plan.outlives && !this.#open.hasEnded) this.#exchange?.detach()
    else this.#exchange?.cancel()
  }
}
