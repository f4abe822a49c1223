import type { ClientTrait, RawJson } from '@bridgekeeper/protocol'
import type { End, Sink } from './outlet.ts'
import { Stream } from './stream.ts'
import { StreamBudget } from './stream-budget.ts'

/** Streams that one session keeps for readers who may come back. */
export const MAX_STREAMS = 64
/** Bytes that they keep together. */
export const SESSION_BYTES = 16 * 1_048_576
/** Messages without an exchange that are kept for a reader. */
export const MAX_STANDING = 64

export interface SessionFacts {
  readonly serverName: string
  /** The bridge's id of the MCP session. */
  readonly id: string
  /** User and login session that it belongs to. */
  readonly client: string
  readonly traits: readonly ClientTrait[]
}

export interface SessionDeps {
  readonly outlet: Sink
  /** Bounds the streams of all sessions. */
  readonly budget: StreamBudget
  /** The session of each exchange that read a stream. */
  readonly index: Map<string, Session>
}

/** A stream under the id of an exchange that reads it. Numbers of that exchange begin behind `base`. */
interface NamedStream {
  readonly stream: Stream
  readonly base: number
}

/** An MCP session with one local server: its streams, and what its client chose. */
export class Session {
  readonly facts: SessionFacts
  /** Log level that its client set. */
  level: string | undefined
  /** URIs of resources that its client subscribed to. */
  readonly subscriptions = new Set<string>()
  lastUsedMs: number
  /** Requests in flight. */
  running = 0
  #isOver = false
  readonly #outlet: Sink
  readonly #budget: StreamBudget
  readonly #index: Map<string, Session>
  readonly #named = new Map<string, NamedStream>()
  /** Messages that belong to no exchange. */
  readonly #standing: Stream

  constructor(facts: SessionFacts, { outlet, budget, index }: SessionDeps, nowMs: number) {
    this.facts = facts
    this.lastUsedMs = nowMs
    this.#outlet = outlet
    this.#budget = new StreamBudget(SESSION_BYTES, facts.client, budget)
    this.#index = index
    this.#standing = new Stream(outlet, this.#budget, MAX_STANDING)
    this.#standing.accepted()
  }

  /** Whether an exchange is open, so that the session must not be forgotten. */
  get isBusy(): boolean {
    return this.running > 0 || this.#standing.isRead
  }

  /** Whether it has ended, or was forgotten. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Begins the stream of a request, read by its exchange. */
  begin(exchangeId: string): Stream {
    const stream = new Stream(this.#outlet, this.#budget)
    this.#name(exchangeId, { stream, base: 0 })
    stream.attach({ id: exchangeId, base: 0 }, 0)
    return stream
  }

  /** Reads messages that belong to no exchange, from the first that is kept and was not sent. */
  readStanding(exchangeId: string): void {
    const base = this.#standing.readUpTo
    this.#name(exchangeId, { stream: this.#standing, base })
    this.#standing.attach({ id: exchangeId, base }, base)
  }

  /**
   * Reads a stream on.
   * @param of an exchange that read it
   * @param after the last number that its reader has
   * @returns whether everything after that number is still there
   */
  resume(exchangeId: string, of: string, after: number): boolean {
    const named = this.#named.get(of)
    if (named === undefined) return false
    const { stream, base } = named
    if (!stream.attach({ id: exchangeId, base }, base + after)) return false
    this.#name(exchangeId, named)
    return true
  }

  /** Queues a message that belongs to no exchange. One that equals the last unread one adds nothing. */
  notify(message: RawJson): void {
    if (this.#standing.hasUnread(message)) return
    if (!this.#standing.push(message)) this.#standing.dismiss()
  }

  /** The reader of this exchange went away and may come back. */
  detach(exchangeId: string): void {
    this.#named.get(exchangeId)?.stream.detach(exchangeId)
  }

  /** The connection has ended, and with it all readers. */
  detachAll(): void {
    for (const { stream } of this.#named.values()) stream.detach()
  }

  /** The caller has everything of this exchange's stream. */
  done(exchangeId: string): void {
    const stream = this.#named.get(exchangeId)?.stream
    if (stream?.hasEnded === true) this.#forget(stream)
    else stream?.detach(exchangeId)
  }

  /** Ends an exchange that reads a stream; the stream stays. */
  dismiss(exchangeId: string): void {
    this.#named.get(exchangeId)?.stream.dismiss(exchangeId)
  }

  /** Ends all streams and drops what they keep. */
  close(end: End): void {
    this.#isOver = true
    for (const { stream } of [...this.#named.values()]) {
      stream.end(end)
      this.#forget(stream)
    }
    this.#standing.end(end)
    this.#forget(this.#standing)
  }

  #name(exchangeId: string, named: NamedStream): void {
    this.#named.set(exchangeId, named)
    this.#index.set(exchangeId, this)
    for (const [id, { stream }] of this.#named) {
      if (this.#named.size <= MAX_STREAMS || id === exchangeId) return
      if (stream === this.#standing) this.#unname(id)
      else if (stream.hasEnded) this.#forget(stream)
    }
  }

  #forget(stream: Stream): void {
    stream.forget()
    for (const [id, named] of this.#named) if (named.stream === stream) this.#unname(id)
  }

  #unname(exchangeId: string): void {
    this.#named.delete(exchangeId)
    this.#index.delete(exchangeId)
  }
}
