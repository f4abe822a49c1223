import {
  BridgeError,
  type EndFrame,
  encode,
  type MessageFrame,
  OPEN_BRACE,
  type Payload,
  type PayloadStream,
  unreachable,
} from '@bridgekeeper/protocol'
import type { Dated } from '../collections/deadline-queue.ts'
import type { ExchangeFrame } from '../connection/life.ts'
import type { Carrier } from '../connection/ready-connection.ts'
import { endOf, failedEnd, invalidEnd } from './end-of.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from './exchange.ts'

/** The table of an exchange. */
export interface ExchangeHome {
  /** @param frame `undefined` for a chunk of a payload */
  progressed(exchange: CarriedExchange, frame: ExchangeFrame | undefined): void
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
  /** The answer, while it arrives. */
  #arriving: PayloadStream | undefined
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
        if (this.#arriving !== undefined) return false
        this.#receiveEnd(frame)
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
    if (this.#arriving !== undefined) {
      this.#send('detach')
      this.carrier.drop(this.id)
    } else if (this.#leave() !== undefined) this.#send('detach')
  }

  done(): void {
    if (this.#reader === undefined && this.opening.session !== undefined) this.#send('done')
  }

  #accept(frame: ExchangeFrame): boolean {
    if (this.#reader === undefined || this.#isAccepted) return false
    this.#isAccepted = true
    this.#home.progressed(this, frame)
    this.#reader.accepted()
    return true
  }

  #pass(frame: MessageFrame): boolean {
    const { number } = frame
    if (this.#reader === undefined || !this.#isAccepted || !this.#rises(number)) return false
    const message = this.#payloadOf(frame, false)
    if (message === undefined) return false
    this.#lastNumber = number ?? this.#lastNumber
    this.#home.progressed(this, frame)
    this.#reader.message(message, number)
    return true
  }

  /** The message of a frame, or of the chunks that follow. */
  #payloadOf({ id, message, bytes }: MessageFrame | EndFrame, isLast: boolean): Payload | undefined {
    if (bytes === undefined) return message?.[0] === OPEN_BRACE ? message : undefined
    const stream = this.carrier.expect(id, bytes, isLast)
    if (stream !== undefined) stream.onChunk = () => this.#home.progressed(this, undefined)
    return stream
  }

  #receiveEnd(frame: EndFrame): void {
    if (!this.#rises(frame.number)) return this.end(invalidEnd())
    if (frame.bytes === undefined) return this.end(endOf(frame, this.opening.kind))
    const isRead = this.opening.kind === 'request' || this.opening.kind === 'stream'
    const message = isRead ? this.#payloadOf(frame, true) : undefined
    if (message === undefined || Buffer.isBuffer(message)) return this.end(invalidEnd())
    this.#finish(frame, message)
  }

  /** [BIG.9] The exchange lasts until its answer is complete. */
  #finish(frame: EndFrame, message: PayloadStream): void {
    const reader = this.#reader
    const { status, number } = frame
    this.#reader = undefined
    this.#arriving = message
    message.whenDone(() => {
      this.#arriving = undefined
      this.#home.left(this)
    })
    this.#home.progressed(this, frame)
    reader?.ended({ kind: 'answered', status, message, number })
  }

  #rises(number: number | undefined): boolean {
    return number === undefined || number > this.#lastNumber
  }

  #abandon(code: 'call_timeout' | 'call_cancelled'): void {
    if (this.#reader === undefined && this.#arriving === undefined) return
    this.#send('cancel')
    this.carrier.drop(this.id)
    this.end(failedEnd(new BridgeError(code, `Exchange ${this.id}.`)))
  }

  #leave(): ExchangeReader | undefined {
    const reader = this.#reader
    if (reader === undefined) return undefined
    this.#reader = undefined
    this.carrier.drop(this.id)
    this.#home.left(this)
    return reader
  }

  #send(type: 'cancel' | 'detach' | 'done'): void {
    this.carrier.send(encode({ type, id: this.id }))
  }
}
