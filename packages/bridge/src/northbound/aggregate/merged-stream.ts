import { type Payload, type RawJson, toJson } from '@bridgekeeper/protocol'
import type { ExchangeEnd } from '../../exchanges/exchange.ts'
import { standingEventIdOf } from '../event-id.ts'
import { EventStream } from '../event-stream.ts'
import type { OpenRequest } from '../open-request.ts'
import { guarded } from '../respond.ts'
import {
  type OpeningFor,
  type Resume,
  ServerStreams,
  type StreamParts,
  type StreamsReader,
} from '../server-streams.ts'
import type { ToolView } from '../tool-view.ts'
import { readMerged } from './read-merged.ts'

const CHANGED: readonly RawJson[] = ['tools', 'prompts', 'resources'].map((what) =>
  toJson({ jsonrpc: '2.0', method: `notifications/${what}/list_changed` }),
)

/**
 * [AGG.11] Answers GET at `/mcp`: the streams of all servers as one. When servers come or go, it tells the client that
 * lists have changed.
 */
export class MergedStream implements StreamsReader {
  readonly openingFor: OpeningFor
  readonly #open: OpenRequest
  readonly #view: ToolView
  readonly #stream: EventStream
  readonly #streams: ServerStreams

  constructor(open: OpenRequest, parts: StreamParts, view: ToolView, openingFor: OpeningFor) {
    this.openingFor = openingFor
    this.#open = open
    this.#view = view
    this.#stream = new EventStream(open, parts.system)
    this.#streams = new ServerStreams(open, parts, this)
  }

  /** @param resume where one of the streams is read on */
  begin(resume: Resume | undefined): void {
    this.#stream.begin()
    // The client may have missed changes.
    if (resume !== undefined) this.changed()
    this.#streams.begin(resume)
  }

  /** Ends the stream once its machines have ended theirs for a newer reader of the session. */
  replace(): void {
    this.#streams.retire(() => this.#end())
  }

  servers(): readonly string[] {
    return this.#view.sessionServers()
  }

  accepted(): void {}

  ended(end: ExchangeEnd): boolean {
    const hasSession = end.kind !== 'failed' || end.error.code !== 'session_unknown'
    if (!hasSession) this.#end()
    return hasSession
  }

  changed(): void {
    for (const note of CHANGED) this.#send(note)
  }

  message(_serverName: string, message: Payload, position: Resume | undefined): void {
    readMerged(this.#open, message, (whole) => this.#send(whole, position && standingEventIdOf(position)))
  }

  #end(): void {
    guarded(this.#open.response, () => this.#stream.end())
  }

  #send(message: RawJson, eventId?: string): void {
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#stream.message([message], eventId)
    })
  }
}
