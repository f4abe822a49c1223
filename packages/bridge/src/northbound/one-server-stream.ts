import type { Payload } from '@bridgekeeper/protocol'
import type { ExchangeEnd } from '../exchanges/exchange.ts'
import { standingEventIdOf } from './event-id.ts'
import { EventStream } from './event-stream.ts'
import { NULL_ID } from './message.ts'
import type { OpenRequest } from './open-request.ts'
import { guarded, sendAbsence, sendCallRefusal } from './respond.ts'
import { streamError } from './resumed-reply.ts'
import {
  HOLD_MS,
  type OpeningFor,
  type Resume,
  ServerStreams,
  type StreamParts,
  type StreamsReader,
} from './server-streams.ts'
import type { ToolView } from './tool-view.ts'

/**
 * [STREAM.8] Answers GET at `/mcp/{server}`: the messages of one server that belong to no request. [STREAM.11] It waits
 * for a machine that is away, and once it has begun, it outlasts the machine's connections.
 */
export class OneServerStream implements StreamsReader {
  readonly openingFor: OpeningFor
  readonly #open: OpenRequest
  readonly #view: ToolView
  readonly #system: StreamParts['system']
  readonly #stream: EventStream
  readonly #streams: ServerStreams
  #isHeld = true

  constructor(open: OpenRequest, parts: StreamParts, view: ToolView, openingFor: OpeningFor) {
    this.openingFor = openingFor
    this.#open = open
    this.#view = view
    this.#system = parts.system
    this.#stream = new EventStream(open, parts.system)
    this.#streams = new ServerStreams(open, parts, this)
  }

  /** @param resume where the stream is read on */
  begin(resume: Resume | undefined): void {
    const cancelTimer = this.#system.after(HOLD_MS, () => this.#holdOver())
    this.#open.onEnd(cancelTimer)
    this.#streams.begin(resume)
  }

  servers(): readonly string[] {
    return this.#view.sessionServers()
  }

  accepted(): void {
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#stream.begin()
    })
  }

  message(_serverName: string, message: Payload, position: Resume | undefined): void {
    guarded(this.#open.response, () =>
      this.#stream.message([message], position && standingEventIdOf(position)),
    )
  }

  ended(end: ExchangeEnd): boolean {
    if (end.kind === 'cut' && (this.#isHeld || this.#stream.hasBegun)) return true
    guarded(this.#open.response, () => {
      const error = streamError(end)
      if (error !== undefined && !this.#stream.hasBegun)
        return sendCallRefusal(this.#open.response, NULL_ID, error)
      this.#stream.begin()
      this.#stream.end()
    })
    return false
  }

  changed(): void {
    if (!this.#view.mayCome()) this.#refuseAbsent()
  }

  #holdOver(): void {
    this.#isHeld = false
    if (!this.#open.isGone) this.#refuseAbsent()
  }

  /** Refuses the request with the current reason, unless it was answered or a server is read. */
  #refuseAbsent(): void {
    const { response } = this.#open
    if (response.headersSent || this.#streams.isReading || this.servers().length > 0) return
    sendAbsence(response, this.#view.absence())
  }
}
