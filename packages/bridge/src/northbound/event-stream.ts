import type { System } from '../ports.ts'
import type { OpenRequest } from './open-request.ts'
import { type Pieces, writePieces } from './pieces.ts'
import { EVENT_HEADERS, eventOf, KEEP_ALIVE, primingEvent } from './sse.ts'

/** Silence after which a comment is sent. Common proxies cut after 60 seconds, some after 30. */
const KEEP_ALIVE_MS = 15_000

/** [STREAM.1] An answer of events. What its reader leaves unread counts as its user's. */
export class EventStream {
  readonly #open: OpenRequest
  readonly #system: System
  #hasBegun = false
  #hasEnded = false
  /** Whether a message is being written. */
  #isWriting = false
  #endsNext = false
  #cancelTimer = (): void => {}

  constructor(open: OpenRequest, system: System) {
    this.#open = open
    this.#system = system
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** Sends the head, once. */
  begin(): void {
    if (this.#hasBegun) return
    this.#begin()
    this.#open.response.flushHeaders()
  }

  /** Sends a comment, which clients ignore. */
  comment(): void {
    if (!this.#isWriting) this.#write([KEEP_ALIVE])
  }

  /** Tells the client the position from which it can read on. */
  prime(eventId: string): void {
    this.#write([primingEvent(eventId)])
  }

  /** @param parts a JSON text in pieces @param eventId its position, from which the client can read on */
  message(parts: Pieces, eventId?: string): void {
    this.#write(eventOf(parts, eventId))
  }

  /** Ends the stream after its last message. */
  end(): void {
    if (this.#isWriting) {
      this.#endsNext = true
      return
    }
    this.#stop()
    if (!this.#open.response.destroyed) this.#open.response.end()
  }

  #begin(): void {
    this.#hasBegun = true
    const { response } = this.#open
    response.writeHead(200, EVENT_HEADERS)
    response.once('close', () => this.#stop())
    this.#keepAlive()
    this.#open.watch()
  }

  /** Node joins what it gets in one turn of the event loop, the head among it, in one write. */
  #write(parts: Pieces): void {
    const { response } = this.#open
    if (!this.#hasBegun) this.#begin()
    if (this.#hasEnded || response.destroyed) return
    this.#isWriting = true
    writePieces(response, parts, { isEvent: true, wrote: () => this.#open.sent() }, () => this.#wrote())
  }

  #wrote(): void {
    this.#isWriting = false
    if (this.#endsNext) this.end()
  }

  #keepAlive(): void {
    this.#cancelTimer = this.#system.after(KEEP_ALIVE_MS, () => {
      this.comment()
      this.#keepAlive()
    })
  }

  #stop(): void {
    this.#hasEnded = true
    this.#cancelTimer()
  }
}
