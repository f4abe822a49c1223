import { discard, type Payload } from '@bridgekeeper/protocol'
import type { Directory } from '../directory/directory.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from '../exchanges/exchange.ts'
import type { System } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import type { OpenRequest } from './open-request.ts'

/** Time for which a stream waits for a machine that is not connected. The agent reconnects well within it. */
export const HOLD_MS = 20_000
/** Time in which several changes of the catalog count as one. */
const CHANGE_MS = 100
/** Time after which a stream that its machine ended is read on. */
export const READ_ON_MS = 3_000
/** Reasons of an end that pass without a change of the catalog. */
const PASSING: ReadonlySet<string> = new Set(['tool_failed', 'too_many_calls', 'agent_slow'])
/** Positions that are remembered for one reader: of 64 servers on each of eight machines. */
export const MAX_POSITIONS = 512

export interface StreamParts {
  readonly dispatcher: Dispatcher
  readonly directory: Directory
  readonly system: System
}

export type Resume = NonNullable<Opening['resume']>

export type OpeningFor = (serverName: string, resume: Resume | undefined) => Opening

/** Reads the streams of some servers of a caller. */
export interface StreamsReader {
  /** The servers to read, of those that are connected now. */
  servers(): readonly string[]
  readonly openingFor: OpeningFor
  /** The stream of a server is open. */
  accepted(): void
  /** @param message must be read @param position from which a client can read on; `undefined` without numbers */
  message(serverName: string, message: Payload, position: Resume | undefined): void
  /**
   * The stream of a server has ended. One that was cut is read on when its server is back.
   * @returns whether to read on; `false` ends the streams of all servers
   */
  ended(end: ExchangeEnd): boolean
  /** Servers have come or gone. */
  changed(): void
}

/** One stream of each server, also of those that come later. A stream that was cut, or that its machine ended, is read on. */
export class ServerStreams {
  readonly #open: OpenRequest
  readonly #parts: StreamParts
  readonly #reader: StreamsReader
  readonly #read = new Map<string, OpenExchange | undefined>()
  /** Position from which each stream is read on, the one reached longest ago first. */
  readonly #positions = new Map<string, Resume>()
  #cancelTimer: (() => void) | undefined
  #cancelReadOn: (() => void) | undefined
  #isOver = false
  #whenIdle = (): void => {}

  constructor(open: OpenRequest, parts: StreamParts, reader: StreamsReader) {
    this.#open = open
    this.#parts = parts
    this.#reader = reader
  }

  /** Whether at least one server is asked for its stream, or read. */
  get isReading(): boolean {
    return this.#read.size > 0
  }

  /** @param resume where one of the streams is read on */
  begin(resume: Resume | undefined): void {
    const stop = this.#parts.directory.watch(this.#open.caller.userId, () => this.#changed())
    this.#open.onEnd(() => this.#end(stop))
    this.#readAll(resume)
  }

  /** Reads nothing more, but what is read until its machines end it. @param done called once nothing is read */
  retire(done: () => void): void {
    this.#isOver = true
    if (this.isReading) this.#whenIdle = done
    else done()
  }

  #changed(): void {
    this.#cancelTimer ??= this.#parts.system.after(CHANGE_MS, () => {
      this.#cancelTimer = undefined
      // A pipelined answer that has ended may wait for its turn.
      if (this.#open.isGone || this.#isOver || this.#open.response.writableEnded) return
      this.#reader.changed()
      this.#readAll(undefined)
    })
  }

  #readAll(resume: Resume | undefined): void {
    if (this.#open.isGone || this.#isOver) return
    for (const name of this.#reader.servers())
      if (!this.#read.has(name)) this.#readOne(name, resume ?? this.#positions.get(name))
  }

  #readOne(serverName: string, resume: Resume | undefined): void {
    this.#read.set(serverName, undefined)
    const streamId = (): string | undefined => resume?.id ?? this.#read.get(serverName)?.id
    const reader: ExchangeReader = {
      accepted: () => {
        this.#reached(serverName, streamId(), resume?.after ?? 0)
        this.#reader.accepted()
      },
      message: (message, number) => {
        if (this.#open.isGone) return discard(message)
        this.#reader.message(serverName, message, this.#reached(serverName, streamId(), number))
      },
      ended: (end) => this.#ended(serverName, end, resume),
    }
    const opening = this.#reader.openingFor(serverName, resume)
    const exchange = this.#parts.dispatcher.open(this.#open.caller, opening, reader)
    if (this.#read.has(serverName)) this.#read.set(serverName, exchange)
  }

  /** Remembers how far a stream was read. @returns its position; `undefined` without numbers */
  #reached(serverName: string, id: string | undefined, number: number | undefined): Resume | undefined {
    if (id === undefined || number === undefined) return undefined
    const position = { id, after: number }
    this.#positions.delete(serverName)
    this.#positions.set(serverName, position)
    const [oldest] = this.#positions.keys()
    if (this.#positions.size > MAX_POSITIONS && oldest !== undefined) this.#positions.delete(oldest)
    return position
  }

  /** A server that does not know the stream is read from now on. */
  #ended(serverName: string, end: ExchangeEnd, resume: Resume | undefined): void {
    // [SCOPE.2] Messages that belong to no request have no answer: this would be the stream of a request.
    if (end.kind === 'answered' && end.message !== undefined) discard(end.message)
    this.#read.delete(serverName)
    if (this.#open.isGone) return
    const isUnknown = end.kind === 'failed' && end.error.code === 'stream_unknown'
    if (!isUnknown || resume === undefined || this.#isOver) return this.#endedFor(end)
    this.#positions.delete(serverName)
    this.#readOne(serverName, undefined)
  }

  #endedFor(end: ExchangeEnd): void {
    if (!this.#reader.ended(end)) this.#isOver = true
    if (!this.isReading) this.#whenIdle()
    if (this.#isOver || !mayPass(end)) return
    this.#cancelReadOn ??= this.#parts.system.after(READ_ON_MS, () => {
      this.#cancelReadOn = undefined
      this.#readAll(undefined)
    })
  }

  #end(stop: () => void): void {
    stop()
    this.#cancelTimer?.()
    this.#cancelReadOn?.()
    for (const exchange of this.#read.values()) {
      if (this.#open.hasEnded) exchange?.cancel()
      else exchange?.detach()
    }
  }
}

/** [EXCH.32] Whether reading on helps: the machine could not send more at once. */
function mayPass(end: ExchangeEnd): boolean {
  if (end.kind === 'answered') return end.status === 200 && end.message === undefined
  return end.kind === 'failed' && PASSING.has(end.error.code)
}
