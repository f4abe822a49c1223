import { randomUUID } from 'node:crypto'
import { CLIENT_TRAITS, type RawJson, replaceAt, toJson, valueAt } from '@bridgekeeper/protocol'
import type { Asks } from '../exchanges/asks.ts'
import type { Exchange } from '../exchanges/exchange.ts'
import type { InstanceGroup, Lent } from '../exchanges/instance-group.ts'
import { PROGRESS_TOKEN } from '../exchanges/instance-use.ts'
import { idKey, readMessage } from '../exchanges/message-bytes.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { System } from '../system.ts'
import { type Ask, missingCapability, readAsk } from './asks-2026.ts'
import { type Client2026, paramsFor2025 } from './client-2026.ts'
import { InnerClient } from './inner-client.ts'
import { errorFor2026, resultFor2026 } from './results.ts'

/** Time for a server to ask several things at once. */
const GATHER_MS = 15
/** Requests during which a client may be asked (MCP 2026-07-28, multi round-trip requests). */
const ASKING: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])
const CANNOT_ASK = toJson({ code: -32_601, message: 'The client cannot be asked this during this request.' })

/** End of a run, or questions for the client, by their keys. */
export type Step =
  | { readonly kind: 'ended'; readonly outcome: Outcome }
  | { readonly kind: 'asks'; readonly asks: ReadonlyMap<string, Ask> }

export interface RunDeps {
  readonly system: System
  readonly group: InstanceGroup
  readonly asks: Asks
}

/**
 * [ERA.3] A request of a 2026 client on a 2025 server. The server sees one request; the client one or more, since it
 * must call again to answer a question of the server.
 */
export class Run {
  readonly id = randomUUID()
  /** Number of the round that waits for its client, from 1. */
  round = 0
  readonly #deps: RunDeps
  readonly #client: Client2026
  readonly #inner: InnerClient
  readonly #exchange: Exchange
  /** Unanswered, by the key that the client sees. */
  readonly #asks = new Map<string, Ask>()
  #lastKey = 0
  #isAccepted = false
  #outcome: Outcome | undefined
  #lent: Lent | undefined
  /** The caller's exchange that waits now. */
  #outer: Exchange | undefined
  #leaveOuter = (): void => {}
  #settle: ((step: Step) => void) | undefined
  #cancelGathering: (() => void) | undefined

  constructor({ facts }: Exchange, client: Client2026, deps: RunDeps) {
    this.#deps = deps
    this.#client = client
    this.#inner = new InnerClient({
      // The server may ask anything: what the client did not declare is refused here.
      ...{ client: facts.client, serverName: facts.serverName, traits: CLIENT_TRAITS },
      nowMs: deps.system.nowMs(),
      onAccepted: () => {
        this.#isAccepted = true
        this.#outer?.accepted()
      },
      onMessage: (message) => this.#receive(message),
    })
    this.#inner.session.level = client.logLevel
    this.#exchange = this.#inner.begin(facts.method, paramsFor2025(facts.params), () =>
      deps.asks.endSession(this.#inner.session),
    )
    void this.#run()
  }

  /** Waits for the end, or until the client must be asked. */
  next(outer: Exchange): Promise<Step> {
    this.waitFor(outer)
    return new Promise((resolve) => {
      this.#settle = (step) => {
        this.#leaveOuter()
        this.#settle = undefined
        resolve(step)
      }
      this.#look()
    })
  }

  /** Lets this exchange wait, in place of an earlier one. Its caller gets the messages, and may cancel the run. */
  waitFor(outer: Exchange): void {
    this.#leaveOuter()
    this.#outer = outer
    if (this.#isAccepted) outer.accepted()
    const cancel = () => this.cancel()
    outer.signal.addEventListener('abort', cancel, { once: true })
    this.#leaveOuter = () => {
      outer.signal.removeEventListener('abort', cancel)
      this.#outer = undefined
    }
    if (outer.signal.aborted) cancel()
  }

  /** Passes answers to the server. Those to nothing that it asked are ignored. */
  answer(answers: ReadonlyMap<string, RawJson>): void {
    for (const [key, answer] of answers) {
      const ask = this.#asks.get(key)
      this.#asks.delete(key)
      if (ask !== undefined) this.#deps.asks.answer(this.#inner.session, ask.id, 'result', answer)
    }
  }

  /** Nobody waits now, so others need not wait for the instance. */
  park(): void {
    this.#lent?.park('evict')
  }

  /** The request is of no use any more. */
  cancel(): void {
    this.#abandon({ kind: 'cancelled' })
  }

  async #run(): Promise<void> {
    const { group } = this.#deps
    group.join(this.#inner.session)
    const lent = await group.lend(this.#exchange)
    if ('fault' in lent) this.#end(lent)
    else {
      this.#lent = lent
      const outcome = await lent.use.send(this.#exchange, this.#exchange.facts.params)
      lent.release()
      this.#end(translated(this.#exchange.facts.method, outcome, lent.use.instance.introduction))
    }
    group.leave(this.#inner.session)
  }

  /** Ends the request at the server, too. */
  #abandon(outcome: Outcome): void {
    this.#exchange.cancel()
    this.#lent?.release()
    this.#end(outcome)
  }

  #end(outcome: Outcome): void {
    this.#outcome ??= outcome
    this.#exchange.end({ status: 200 })
    this.#look()
  }

  /** Lets the waiting exchange go on, if it can. */
  #look(): void {
    if (this.#outcome !== undefined) {
      this.#cancelGathering?.()
      this.#settle?.({ kind: 'ended', outcome: this.#outcome })
    } else if (this.#settle !== undefined && this.#asks.size > 0) this.#gather()
  }

  #gather(): void {
    this.#cancelGathering ??= this.#deps.system.schedule(GATHER_MS, () => {
      this.#cancelGathering = undefined
      if (this.#asks.size > 0) this.#settle?.({ kind: 'asks', asks: new Map(this.#asks) })
    })
  }

  #receive(raw: RawJson): void {
    const message = readMessage(raw)
    if (message?.method === undefined) return
    const { id, method, params } = message
    if (id !== undefined) return this.#ask(id, method, params)
    if (method === 'notifications/cancelled') return this.#withdraw(valueAt(params, ['requestId']))
    if (method === 'notifications/progress') this.#progress(raw)
    else if (method === 'notifications/message' && this.#client.logLevel !== undefined)
      this.#outer?.message(raw)
  }

  /** Each round has a token of its own. */
  #progress(raw: RawJson): void {
    const token = valueAt(this.#outer?.facts.params, PROGRESS_TOKEN)
    if (token !== undefined) this.#outer?.message(replaceAt(raw, ['params', 'progressToken'], token))
  }

  #ask(id: RawJson, method: string, params: RawJson | undefined): void {
    const ask = ASKING.has(this.#exchange.facts.method) ? readAsk(id, method, params) : undefined
    if (ask === undefined) return this.#deps.asks.answer(this.#inner.session, id, 'error', CANNOT_ASK)
    if (!this.#client.traits.includes(ask.trait)) return this.#abandon(missingCapability(ask.trait))
    this.#asks.set(`input-${++this.#lastKey}`, ask)
    this.#look()
  }

  #withdraw(id: RawJson | undefined): void {
    for (const [key, ask] of this.#asks) if (idKey(ask.id) === idKey(id)) this.#asks.delete(key)
  }
}

function translated(method: string, outcome: Outcome, introduction: RawJson): Outcome {
  if (!('kind' in outcome)) return outcome
  if (outcome.kind === 'result')
    return { ...outcome, result: resultFor2026(method, outcome.result, introduction) }
  if (outcome.kind === 'rpc-error') return { ...outcome, rpcError: errorFor2026(method, outcome.rpcError) }
  return outcome
}
