import type { RawJson } from '@bridgekeeper/protocol'
import { idKey } from './message-bytes.ts'
import { type End, failedEnd, type Sink } from './outlet.ts'
import type { Session } from './session.ts'
import type { Stream } from './stream.ts'

export interface ExchangeFacts {
  readonly id: string
  readonly serverName: string
  /** User and login session of the caller. */
  readonly client: string
  readonly session: Session | undefined
  /** Whether the caller can read messages before the answer. */
  readonly streams: boolean
  readonly method: string
  readonly params: RawJson | undefined
  /** JSON of the id that the caller gave. */
  readonly callerId: RawJson
}

const FLOODS = 'Its server sent messages faster than they could be passed on.'

/** One request of a caller, from its frame to its one end. */
export class Exchange {
  readonly facts: ExchangeFacts
  /** The id as text that is equal for equal ids. */
  readonly callerKey: string | undefined
  readonly #sink: Sink
  readonly #stream: Stream | undefined
  readonly #abort = new AbortController()
  readonly #onEnd: (end: End) => void
  #isAccepted = false
  #hasEnded = false

  /** @param onEnd called once */
  constructor(facts: ExchangeFacts, sink: Sink, onEnd: (end: End) => void) {
    this.facts = facts
    this.callerKey = idKey(facts.callerId)
    this.#sink = sink
    this.#onEnd = onEnd
    this.#stream = facts.session?.begin(facts.id)
  }

  /** Aborted when the answer is of no use any more. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Whether its caller can be asked: it reads a stream, and belongs to a session that its answer can name. */
  get canAsk(): boolean {
    return this.facts.streams && this.#stream !== undefined && !this.#hasEnded
  }

  /** The local server has the request. */
  accepted(): void {
    if (this.#isAccepted || this.#hasEnded) return
    this.#isAccepted = true
    if (this.#stream !== undefined) this.#stream.accepted()
    else this.#sink.accepted(this.facts.id)
  }

  /** Passes a notification or a request of the server to the caller. */
  message(message: RawJson): void {
    if (this.#hasEnded || !this.facts.streams) return
    const isTaken =
      this.#stream === undefined ? this.#sink.message(this.facts.id, message) : this.#stream.push(message)
    if (!isTaken) this.stop(failedEnd('tool_failed', FLOODS))
  }

  /** Ends it, unless it has ended. */
  end(end: End): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (this.#stream !== undefined) this.#stream.end(end)
    else this.#sink.end(this.facts.id, end)
    this.#onEnd(end)
  }

  /** The caller no longer waits: the server gets a cancellation, and the exchange ends without an answer. */
  cancel(): void {
    if (this.#hasEnded) return
    this.stop(failedEnd('call_cancelled'))
    this.facts.session?.done(this.facts.id)
  }

  /** Ends it early, for its caller to read. The server gets a cancellation. */
  stop(end: End): void {
    if (this.#hasEnded) return
    this.#abort.abort()
    this.end(end)
  }
}
