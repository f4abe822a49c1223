import {
  BridgeError,
  discard,
  type Payload,
  payloadBytes,
  type RawJson,
  readWhole,
} from '@bridgekeeper/protocol'
import type { ExchangeEnd, ExchangeReader, OpenExchange } from '../exchanges/exchange.ts'
import type { System } from '../ports.ts'
import { failureResult } from './call-failure.ts'
import { type EventPosition, eventIdOf, type StreamRequest } from './event-id.ts'
import { EventStream } from './event-stream.ts'
import { NULL_ID } from './message.ts'
import type { OpenRequest } from './open-request.ts'
import type { Pieces } from './pieces.ts'
import { errorJson, rpcParts } from './reply.ts'
import { guarded, sendCallRefusal } from './respond.ts'
import { withContent } from './tool-result.ts'

/** A stream that is read on. */
export interface Resumed extends EventPosition {
  /** Takes from the answer what its reader may not see; `undefined` if it may see everything. */
  readonly edit: ((answer: RawJson) => RawJson | undefined) | undefined
}

/** Answers GET with the rest of a request's stream that was cut. */
export class ResumedReply implements ExchangeReader {
  readonly #open: OpenRequest
  readonly #stream: EventStream
  readonly #resumed: Resumed
  #exchange: OpenExchange | undefined

  constructor(open: OpenRequest, resumed: Resumed, system: System) {
    this.#open = open
    this.#resumed = resumed
    this.#stream = new EventStream(open, system)
  }

  /** Call it with the exchange that this reader was opened for. */
  follow(exchange: OpenExchange): void {
    this.#exchange = exchange
    this.#open.onEnd(() => {
      if (this.#open.hasEnded) exchange.cancel()
      else exchange.detach()
    })
  }

  accepted(): void {
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#stream.begin()
    })
  }

  message(message: Payload, number: number | undefined): void {
    guarded(this.#open.response, () => {
      if (this.#open.isGone) discard(message)
      else this.#stream.message([message], this.#eventId(number))
    })
  }

  ended(end: ExchangeEnd): void {
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#end(end)
    })
  }

  #end(end: ExchangeEnd): void {
    const error = streamError(end)
    const { request } = this.#resumed
    if (error?.code === 'stream_unknown' && request !== undefined) return this.#lost(request)
    if (error !== undefined && !this.#stream.hasBegun)
      return sendCallRefusal(this.#open.response, NULL_ID, error)
    this.#stream.begin()
    if (end.kind !== 'answered' || end.message === undefined) return this.#stream.end()
    this.#open.response.once('finish', () => this.#exchange?.done())
    this.#answer(end.message, end.number)
  }

  #answer(message: Payload, number: number | undefined): void {
    const { edit, request } = this.#resumed
    const isCall = request?.isCall === true && Buffer.isBuffer(message)
    if (edit === undefined) return this.#endStream([isCall ? withContent(message) : message], number)
    if (this.#open.hold(payloadBytes(message)) !== undefined) return this.#stream.end()
    readWhole(message, (whole) =>
      guarded(this.#open.response, () => {
        if (this.#open.isGone) return
        const edited = whole && edit(whole)
        if (edited === undefined) this.#stream.end()
        else this.#endStream([isCall ? withContent(edited) : edited], number)
      }),
    )
  }

  /** [STREAM.10] The agent was restarted, or had to forget the stream: the answer will never come. */
  #lost({ id, isCall }: StreamRequest): void {
    const error = new BridgeError('outcome_unknown', `Exchange ${this.#resumed.id}.`)
    const result = isCall ? failureResult(error) : undefined
    const isResult = result !== undefined
    this.#endStream(isResult ? rpcParts(id, 'result', result) : rpcParts(id, 'error', errorJson(error)))
  }

  #endStream(parts: Pieces, number?: number): void {
    this.#stream.message(parts, this.#eventId(number))
    this.#stream.end()
  }

  #eventId(number: number | undefined): string | undefined {
    if (number === undefined) return undefined
    return eventIdOf(this.#resumed.id, number, this.#resumed.request)
  }
}

/** Why a stream was refused, or ended early. */
export function streamError(end: ExchangeEnd): BridgeError | undefined {
  if (end.kind !== 'answered') return end.error
  if (end.status === 404) return new BridgeError('session_unknown')
  return end.status === 200 ? undefined : new BridgeError('stream_unknown')
}
