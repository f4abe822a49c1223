import { cleanText, type ErrorCode, textAt } from '@bridgekeeper/protocol'
import type { ExchangeEvent } from '../events.ts'
import type { System } from '../system.ts'
import { Exchange, type ExchangeFacts } from './exchange.ts'
import type { End, Outlet } from './outlet.ts'
import type { Session } from './session.ts'

/** Requests in flight. Bounds this machine's memory even if the bridge exceeds its own limits. */
export const MAX_RUNNING = 1_024
/** Sum of the parameters of all requests in flight. */
export const MAX_RUNNING_BYTES = 128 * 1_048_576
/** Length of a name in an event. */
const MAX_NAME_CHARS = 128

export interface RunningDeps {
  readonly system: System
  readonly outlet: Outlet
  readonly onEvent: (event: ExchangeEvent) => void
  readonly onEnd: (exchange: Exchange) => void
}

/** The requests of callers that are in flight on this machine. */
export class RunningExchanges {
  readonly #deps: RunningDeps
  readonly #byId = new Map<string, Exchange>()
  #bytes = 0

  constructor(deps: RunningDeps) {
    this.#deps = deps
  }

  get all(): readonly Exchange[] {
    return [...this.#byId.values()]
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** Begins an exchange. @returns the code if there is no room for it */
  begin(facts: ExchangeFacts): Exchange | Extract<ErrorCode, 'too_many_calls'> {
    const { id, params, session } = facts
    const bytes = params?.length ?? 0
    if (this.#byId.size >= MAX_RUNNING || this.#bytes + bytes > MAX_RUNNING_BYTES) return 'too_many_calls'
    const { system, outlet } = this.#deps
    const startedMs = system.monotonicMs()
    const exchange = new Exchange(facts, outlet, (end) => {
      this.#byId.delete(id)
      this.#bytes -= bytes
      if (session !== undefined) session.running--
      this.#deps.onEnd(exchange)
      this.#report(facts, end, system.monotonicMs() - startedMs)
    })
    this.#byId.set(id, exchange)
    this.#bytes += bytes
    if (session !== undefined) session.running++
    return exchange
  }

  cancel(id: string): void {
    this.#byId.get(id)?.cancel()
  }

  cancelOf(session: Session | undefined): void {
    for (const exchange of this.all) if (exchange.facts.session === session) exchange.cancel()
  }

  /** Cancels the requests of a client. */
  revoke(client: string): void {
    for (const exchange of this.all) if (exchange.facts.client === client) exchange.cancel()
  }

  /** Ends all requests to a server. */
  stopOf(serverName: string, end: End): void {
    for (const exchange of this.all) if (exchange.facts.serverName === serverName) exchange.stop(end)
  }

  #report({ serverName: server, method, params }: ExchangeFacts, { code }: End, durationMs: number): void {
    const common = { server, outcome: code ?? ('ok' as const), durationMs: Math.round(durationMs) }
    const shown = (text: string) => cleanText(text).slice(0, MAX_NAME_CHARS)
    if (method === 'tools/call')
      this.#deps.onEvent({ type: 'call-finished', tool: shown(textAt(params, ['name']) ?? ''), ...common })
    else this.#deps.onEvent({ type: 'request-finished', method: shown(method), ...common })
  }
}
