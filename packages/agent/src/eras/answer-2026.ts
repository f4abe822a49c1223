import { type RawJson, textAt, valueAt } from '@bridgekeeper/protocol'
import type { Exchange } from '../exchanges/exchange.ts'
import type { InstanceGroup } from '../exchanges/instance-group.ts'
import { LISTEN } from '../exchanges/instance-use.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { ExchangeServer } from '../exchanges/server-port.ts'
import { inputRequired } from './asks-2026.ts'
import { readClient } from './client-2026.ts'
import { listen } from './listen-2026.ts'
import { readAnswers } from './request-state.ts'
import { discoveryFrom, rpcError } from './results.ts'
import { Rounds } from './rounds.ts'
import { Run } from './run-2026.ts'
import type { TranslationDeps } from './translation-deps.ts'

const INVALID_ANSWERS = rpcError(
  -32_602,
  'Invalid params: each member of "inputResponses" must be an object.',
)
const NOT_FOUND = rpcError(-32_601, 'Method not found')
/** Tasks of the 2026 era are other tasks than those of the 2025 era. */
const TASKS = 'tasks/'

/** Answers clients of the 2026 era for servers that speak only the 2025 era. */
export class Answers2026 {
  readonly #deps: TranslationDeps
  readonly #rounds: Rounds

  constructor(deps: TranslationDeps) {
    this.#deps = deps
    this.#rounds = new Rounds(deps.system)
  }

  /** Answers one request. Never rejects. */
  async answer(exchange: Exchange, server: ExchangeServer): Promise<Outcome> {
    const { method, params } = exchange.facts
    const { system, asks, groups } = this.#deps
    if (method.startsWith(TASKS)) return NOT_FOUND
    if (method === 'server/discover') return discover(groups.of(server, '2025', []), exchange.facts.client)
    const client = readClient(params)
    const group = groups.of(server, '2025', client.traits)
    if (method === LISTEN) return listen(exchange, client, group, this.#deps)
    const state = valueAt(params, ['requestState'])
    if (state !== undefined) return this.#again(exchange)
    return this.#step(new Run(exchange, client, { system, asks, group }), exchange)
  }

  /** Cancels what waits for the answers of a client. */
  revoke(client: string): void {
    this.#rounds.revoke(client)
  }

  /** The client answers a round. */
  async #again(exchange: Exchange): Promise<Outcome> {
    const { params } = exchange.facts
    const answers = readAnswers(valueAt(params, ['inputResponses']))
    if (answers === undefined) return INVALID_ANSWERS
    return this.#rounds.answer(textAt(params, ['requestState']) ?? '', answers, exchange, (run) => {
      run.answer(answers)
      return this.#step(run, exchange)
    })
  }

  async #step(run: Run, exchange: Exchange): Promise<Outcome> {
    const step = await run.next(exchange)
    if (step.kind === 'ended') return step.outcome
    const state = this.#rounds.park(run, exchange.facts)
    return { kind: 'result', result: inputRequired(step.asks, state) }
  }
}

async function discover(group: InstanceGroup, client: string): Promise<Outcome> {
  const instance = await group.shared(client)
  if ('fault' in instance) return instance
  const result: RawJson = discoveryFrom(instance.introduction)
  return { kind: 'result', result }
}
