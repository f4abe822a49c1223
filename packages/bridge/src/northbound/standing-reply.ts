import { BridgeError, discard, type Payload } from '@bridgekeeper/protocol'
import type { ExchangeEnd, ExchangeReader, OpenExchange } from '../exchanges/exchange.ts'
import type { System } from '../ports.ts'
import { EventStream } from './event-stream.ts'
import { guarded } from './guarded.ts'
import { NULL_ID } from './message.ts'
import type { OpenRequest } from './open-request.ts'
import { sendCallRefusal } from './respond.ts'

/** Answers GET: a stream that lasts until one side ends it. */
export class StandingReply implements ExchangeReader {
  readonly #open: OpenRequest
  readonly #stream: EventStream
  /** The exchange whose stream is read on. */
  readonly #resumed: string | undefined
  #exchange: OpenExchange | undefined

  constructor(open: OpenRequest, resumed: string | undefined, system: System) {
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
      if (!this.#isGone) this.#stream.begin()
    })
  }

  message(message: Payload, number: number | undefined): void {
    guarded(this.#open.response, () => {
      if (this.#isGone) discard(message)
      else this.#stream.message([message], this.#eventId(number))
    })
  }

  ended(end: ExchangeEnd): void {
    guarded(this.#open.response, () => {
      if (!this.#isGone) this.#end(end)
    })
  }

  #end(end: ExchangeEnd): void {
    const error = end.kind === 'answered' ? statusError(end.status) : end.error
    if (error !== undefined && !this.#stream.hasBegun)
      return sendCallRefusal(this.#open.response, NULL_ID, error)
    this.#stream.begin()
    if (end.kind === 'answered' && end.message !== undefined) {
      this.#open.response.once('finish', () => this.#exchange?.done())
      this.#stream.message([end.message], this.#eventId(end.number))
    }
    this.#stream.end()
  }

  #eventId(number: number | undefined): string | undefined {
    const id = this.#resumed ?? this.#exchange?.id
    return number === undefined || id === undefined ? undefined : `${id}_${number}`
  }

  get #isGone(): boolean {
    return this.#open.hasEnded || this.#open.response.destroyed
  }
}

/** The agent's reason for refusing a reader. */
function statusError(status: number): BridgeError | undefined {
  if (status === 404) return new BridgeError('session_unknown')
  return status === 200 ? undefined : new BridgeError('stream_unknown')
}
