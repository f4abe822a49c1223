import { type RawJson, toJson } from '@bridgekeeper/protocol'
import type { Opening } from '../../exchanges/exchange.ts'
import { mergedEventIdOf } from '../event-id.ts'
import { EventStream } from '../event-stream.ts'
import type { OpenRequest } from '../open-request.ts'
import { guarded } from '../respond.ts'
import { type Resume, ServerStreams, type StreamParts, type StreamsReader } from './server-streams.ts'

const CHANGED: readonly RawJson[] = ['tools', 'prompts', 'resources'].map((what) =>
  toJson({ jsonrpc: '2.0', method: `notifications/${what}/list_changed` }),
)

type OpeningFor = (serverName: string, resume: Resume | undefined) => Opening

/**
 * [AGG.11] Answers GET at `/mcp`: the streams of all servers as one. When servers come or go, it tells the client that
 * lists have changed.
 */
export class MergedStream implements StreamsReader {
  readonly openingFor: OpeningFor
  readonly #open: OpenRequest
  readonly #stream: EventStream
  readonly #streams: ServerStreams

  constructor(open: OpenRequest, parts: StreamParts, openingFor: OpeningFor) {
    this.openingFor = openingFor
    this.#open = open
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

  changed(): void {
    for (const note of CHANGED) this.#send(note)
  }

  message(
    _serverName: string,
    message: RawJson,
    streamId: string | undefined,
    number: number | undefined,
  ): void {
    const isNumbered = number !== undefined && streamId !== undefined
    this.#send(message, isNumbered ? mergedEventIdOf(streamId, number) : undefined)
  }

  #send(message: RawJson, eventId?: string): void {
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#stream.message([message], eventId)
    })
  }
}
