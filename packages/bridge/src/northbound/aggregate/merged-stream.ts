import {
  discard,
  limits,
  type Payload,
  payloadBytes,
  type RawJson,
  readWhole,
  toJson,
} from '@bridgekeeper/protocol'
import type { KnownServers } from '../../directory/known-servers.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from '../../exchanges/exchange.ts'
import type { System } from '../../ports.ts'
import type { Dispatcher } from '../../router/dispatcher.ts'
import { EventStream } from '../event-stream.ts'
import { guarded } from '../guarded.ts'
import type { OpenRequest } from '../open-request.ts'

/** Time in which several changes of the catalog count as one. */
export const CHANGE_MS = 100
/** A larger message is dropped, since it must be held whole. */
const MAX_MESSAGE_BYTES = limits.frameBytes
const CHANGED: readonly RawJson[] = ['tools', 'prompts', 'resources'].map((what) =>
  toJson({ jsonrpc: '2.0', method: `notifications/${what}/list_changed` }),
)

export interface StreamParts {
  readonly dispatcher: Dispatcher
  readonly known: KnownServers
  readonly system: System
}

type Resume = NonNullable<Opening['resume']>

/**
 * [AGG.11] Answers GET at `/mcp`: the streams of all servers as one. When servers come or go, the client is told that
 * lists changed.
 */
export class MergedStream {
  readonly #open: OpenRequest
  readonly #parts: StreamParts
  readonly #openingFor: (serverName: string, resume: Resume | undefined) => Opening
  readonly #stream: EventStream
  readonly #read = new Map<string, OpenExchange | undefined>()
  #cancelTimer: (() => void) | undefined

  constructor(
    open: OpenRequest,
    parts: StreamParts,
    openingFor: (serverName: string, resume: Resume | undefined) => Opening,
  ) {
    this.#open = open
    this.#parts = parts
    this.#openingFor = openingFor
    this.#stream = new EventStream(open, parts.system)
  }

  /** @param resume where one of the streams is read on */
  begin(resume: Resume | undefined): void {
    const { userId } = this.#open.caller
    const stop = this.#parts.known.watch(userId, () => this.#changed())
    this.#open.onEnd(() => this.#end(stop))
    this.#stream.begin()
    // The client may have missed changes.
    if (resume !== undefined) this.#notify()
    this.#readAll(resume)
  }

  #changed(): void {
    this.#cancelTimer ??= this.#parts.system.after(CHANGE_MS, () => {
      this.#cancelTimer = undefined
      guarded(this.#open.response, () => {
        if (this.#isGone) return
        this.#notify()
        this.#readAll(undefined)
      })
    })
  }

  #notify(): void {
    for (const note of CHANGED) this.#stream.message([note])
  }

  #readAll(resume: Resume | undefined): void {
    const servers = this.#parts.known.exchangeServers(this.#open.caller.userId)
    for (const { name } of servers) if (!this.#read.has(name)) this.#readOne(name, resume)
  }

  #readOne(serverName: string, resume: Resume | undefined): void {
    this.#read.set(serverName, undefined)
    const reader = new OneReader({
      message: (message, number) => this.#message(serverName, message, number, resume),
      ended: (end) => this.#ended(serverName, end, resume),
    })
    const exchange = this.#parts.dispatcher.open(
      this.#open.caller,
      this.#openingFor(serverName, resume),
      reader,
    )
    if (this.#read.has(serverName)) this.#read.set(serverName, exchange)
  }

  #message(
    serverName: string,
    message: Payload,
    number: number | undefined,
    resume: Resume | undefined,
  ): void {
    guarded(this.#open.response, () => {
      if (this.#isGone || payloadBytes(message) > MAX_MESSAGE_BYTES) return discard(message)
      const id = resume?.id ?? this.#read.get(serverName)?.id
      const eventId = number === undefined || id === undefined ? undefined : `${id}_${number}_all`
      // Messages of several servers arrive at once; one that is not whole would mix with the others.
      readWhole(message, (whole) => {
        if (whole !== undefined && !this.#isGone) this.#stream.message([whole], eventId)
      })
    })
  }

  /** A server that does not know the stream is read from now on. */
  #ended(serverName: string, end: ExchangeEnd, resume: Resume | undefined): void {
    if (end.kind === 'answered' && end.message !== undefined)
      this.#message(serverName, end.message, end.number, resume)
    this.#read.delete(serverName)
    const isUnknown = end.kind === 'failed' && end.error.code === 'stream_unknown'
    if (isUnknown && resume !== undefined && !this.#isGone) this.#readOne(serverName, undefined)
  }

  #end(stop: () => void): void {
    stop()
    this.#cancelTimer?.()
    for (const exchange of this.#read.values()) {
      if (this.#open.hasEnded) exchange?.cancel()
      else exchange?.detach()
    }
  }

  get #isGone(): boolean {
    return this.#open.hasEnded || this.#open.response.destroyed
  }
}

/** Reads the stream of one server. */
class OneReader implements ExchangeReader {
  readonly #to: Omit<ExchangeReader, 'accepted'>

  constructor(to: Omit<ExchangeReader, 'accepted'>) {
    this.#to = to
  }

  accepted(): void {}

  message(message: Payload, number: number | undefined): void {
    this.#to.message(message, number)
  }

  ended(end: ExchangeEnd): void {
    this.#to.ended(end)
  }
}
