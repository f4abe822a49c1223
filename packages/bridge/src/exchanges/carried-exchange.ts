import { BridgeError, encode, type MessageFrame, OPEN_BRACE, unreachable } from '@bridgekeeper/protocol'
import type { Dated } from '../connection/deadline-queue.ts'
import type { ExchangeFrame } from '../connection/life.ts'
import type { Carrier } from '../connection/ready-connection.ts'
import { endOf, failedEnd, invalidEnd } from './end-of.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from './exchange.ts'

/** The table of an exchange. */
export interface ExchangeHome {
  progressed(exchange: CarriedExchange, frame: ExchangeFrame): void
  /** It needs no further frames. */
  left(exchange: CarriedExchange): void
}

/** An exchange that a connection carries. [EXCH.3] Keeps the order of its frames: `accepted`, messages, one end. */
export class CarriedExchange implements OpenExchange, Dated {
  dueAtMs = Number.POSITIVE_INFINITY
  queueIndex = -1
  readonly id: string
  readonly carrier: Carrier
  readonly opening: Omit<Opening, 'message'>
  readonly openedAtMs: number
  readonly #home: ExchangeHome
  /** `undefined` after the end. */
  #reader: ExchangeReader | undefined
  #isAccepted = false
  #lastNumber: number

  constructor(
    id: string,
    carrier: Carrier,
    { message: _sent, ...opening }: Opening,
    reader: ExchangeReader,
    openedAtMs: number,
    home: ExchangeHome,
  ) {
    this.id = id
    this.carrier = carrier
    this.opening = opening
    this.openedAtMs = openedAtMs
    this.#reader = reader
    this.#home = home
    this.#lastNumber = opening.resume?.after ?? 0
  }

  /** Handles a frame of its connection. @returns whether the frame is in order; others are ignored */
  receive(frame: ExchangeFrame): boolean {
    switch (frame.type) {
      case 'accepted':
        return this.#accept(frame)
      case 'message':
        return this.#pass(frame)
      case 'end':
        this.end(this.#rises(frame.number) ? endOf(frame, this.opening.kind) : invalidEnd())
        return true
      default:
        return unreachable(frame)
    }
  }

  /** Ends it, unless it has ended. */
  end(end: ExchangeEnd): void {
    const reader = this.#leave()
    reader?.ended(end)
  }

  /** The connection has ended. [EXCH.6] In an MCP session the exchange goes on at the agent. */
  cut(): void {
    const error = new BridgeError('outcome_unknown', `Exchange ${this.id}.`)
    this.end(this.opening.session === undefined ? failedEnd(error) : { kind: 'cut', error })
  }

  timeUp(): void {
    this.#abandon('call_timeout')
  }

  cancel(): void {
    this.#abandon('call_cancelled')
  }

  detach(): void {
    if (this.#leave() !== undefined) this.#send('detach')
  }

  done(): void {
    if (this.#reader === undefined && this.opening.session !== undefined) this.#send('done')
  }

  #accept(frame: ExchangeFrame): boolean {
    if (this.#isAccepted) return false
    this.#isAccepted = true
    this.#home.progressed(this, frame)
    this.#reader?.accepted()
    return true
  }

  #pass(frame: MessageFrame): boolean {
    const { message, number } = frame
    if (!this.#isAccepted || message?.[0] !== OPEN_BRACE || !this.#rises(number)) return false
    this.#lastNumber = number ?? this.#lastNumber
    this.#home.progressed(this, frame)
    this.#reader?.message(message, number)
    return true
  }

  #rises(number: number | undefined): boolean {
    return number === undefined || number > this.#lastNumber
  }

  #abandon(code: 'call_timeout' | 'call_cancelled'): void {
    if (this.#reader === undefined) return
    this.#send('cancel')
    this.end(failedEnd(new BridgeError(code, `Exchange ${this.id}.`)))
  }

  #leave(): ExchangeReader | undefined {
    const reader = this.#reader
    this.#reader = undefined
    if (reader !== undefined) this.#home.left(this)
    return reader
  }

  #send(type: 'cancel' | 'detach' | 'done'): void {
    this.carrier.send(encode({ type, id: this.id }))
  }
}
