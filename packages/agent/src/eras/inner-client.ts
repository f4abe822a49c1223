import { type ClientTrait, type RawJson, toJson } from '@bridgekeeper/protocol'
import { Exchange, type ExchangeFacts } from '../exchanges/exchange.ts'
import type { Sink } from '../exchanges/outlet.ts'
import { Session } from '../exchanges/session.ts'
import { StreamBudget } from '../exchanges/stream-budget.ts'

const READER = 'reader'
const CALL = 'call'
const CALL_ID = toJson(1)

export interface InnerClientDeps {
  readonly client: string
  readonly serverName: string
  readonly traits: readonly ClientTrait[]
  readonly nowMs: number
  /** The server has the request. */
  readonly onAccepted?: () => void
  /** Receives notifications and requests of the server. */
  readonly onMessage: (message: RawJson) => void
}

/** A client inside of the agent, which works for callers of another era. Its streams keep nothing. */
export class InnerClient {
  readonly session: Session
  readonly #deps: InnerClientDeps
  readonly #sink: Sink

  constructor(deps: InnerClientDeps) {
    const { client, serverName, traits, nowMs, onAccepted, onMessage } = deps
    this.#deps = deps
    this.#sink = {
      accepted: (id) => {
        if (id === CALL) onAccepted?.()
      },
      message: (_id, message) => {
        onMessage(message)
        return true
      },
      end: () => {},
    }
    const facts = { id: READER, serverName, client, traits }
    const streams = { outlet: this.#sink, budget: new StreamBudget(0), index: new Map() }
    this.session = new Session(facts, streams, nowMs)
    this.session.readStanding(READER)
  }

  /** Begins a request. @param onEnd called once */
  begin(method: string, params: RawJson | undefined, onEnd: () => void): Exchange {
    const { client, serverName } = this.#deps
    const facts: ExchangeFacts = {
      ...{ id: CALL, client, serverName, method, params, callerId: CALL_ID, session: this.session },
      streams: true,
    }
    return new Exchange(facts, this.#sink, onEnd)
  }
}
