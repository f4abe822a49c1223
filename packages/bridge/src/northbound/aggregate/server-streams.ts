import { discard, limits, type Payload, payloadBytes, type RawJson, readWhole } from '@bridgekeeper/protocol'
import type { Directory } from '../../directory/directory.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from '../../exchanges/exchange.ts'
import type { System } from '../../ports.ts'
import type { Dispatcher } from '../../router/dispatcher.ts'
import type { OpenRequest } from '../open-request.ts'

/** Time in which several changes of the catalog count as one. */
const CHANGE_MS = 100
/** A larger message is dropped, since it must be held whole. */
const MAX_MESSAGE_BYTES = limits.frameBytes

export interface StreamParts {
  readonly dispatcher: Dispatcher
  readonly known: Directory
  readonly system: System
}

export type Resume = NonNullable<Opening['resume']>

/** Reads the streams of several servers. */
export interface StreamsReader {
  openingFor(serverName: string, resume: Resume | undefined): Opening
  /** @param streamId id of the stream, from which a client can read on */
  message(
    serverName: string,
    message: RawJson,
    streamId: string | undefined,
    number: number | undefined,
  ): void
  /** Servers have come or gone. */
  changed(): void
}

/** One stream of each server of a caller, also of those that come later. */
export class ServerStreams {
  readonly #open: OpenRequest
  readonly #parts: StreamParts
  readonly #reader: StreamsReader
  readonly #read = new Map<string, OpenExchange | undefined>()
  #cancelTimer: (() => void) | undefined

  constructor(open: OpenRequest, parts: StreamParts, reader: StreamsReader) {
    this.#open = open
    this.#parts = parts
    this.#reader = reader
  }

  /** @param resume where one of the streams is read on */
  begin(resume: Resume | undefined): void {
    const stop = this.#parts.known.watch(this.#open.caller.userId, () => this.#changed())
    this.#open.onEnd(() => this.#end(stop))
    this.#readAll(resume)
  }

  #changed(): void {
    this.#cancelTimer ??= this.#parts.system.after(CHANGE_MS, () => {
      this.#cancelTimer = undefined
      if (this.#open.isGone) return
      this.#reader.changed()
      this.#readAll(undefined)
    })
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
    const opening = this.#reader.openingFor(serverName, resume)
    const exchange = this.#parts.dispatcher.open(this.#open.caller, opening, reader)
    if (this.#read.has(serverName)) this.#read.set(serverName, exchange)
  }

  /** Messages of several servers arrive at once; one that is not whole would mix with the others. */
  #message(
    serverName: string,
    message: Payload,
    number: number | undefined,
    resume: Resume | undefined,
  ): void {
    if (this.#open.isGone || payloadBytes(message) > MAX_MESSAGE_BYTES) return discard(message)
    const streamId = resume?.id ?? this.#read.get(serverName)?.id
    readWhole(message, (whole) => {
      if (whole !== undefined && !this.#open.isGone) this.#reader.message(serverName, whole, streamId, number)
    })
  }

  /** A server that does not know the stream is read from now on. */
  #ended(serverName: string, end: ExchangeEnd, resume: Resume | undefined): void {
    // [SCOPE.2] Messages that belong to no request have no answer: this would be the stream of a request.
    if (end.kind === 'answered' && end.message !== undefined) discard(end.message)
    this.#read.delete(serverName)
    const isUnknown = end.kind === 'failed' && end.error.code === 'stream_unknown'
    if (isUnknown && resume !== undefined && !this.#open.isGone) this.#readOne(serverName, undefined)
  }

  #end(stop: () => void): void {
    stop()
    this.#cancelTimer?.()
    for (const exchange of this.#read.values()) {
      if (this.#open.hasEnded) exchange?.cancel()
      else exchange?.detach()
    }
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
