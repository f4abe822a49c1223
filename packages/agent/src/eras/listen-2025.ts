import { type RawJson, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import { backoffMs } from '../backoff.ts'
import type { Exchange } from '../exchanges/exchange.ts'
import type { InstanceGroup } from '../exchanges/instance-group.ts'
import { LISTEN, SUBSCRIPTION_ID } from '../exchanges/instance-use.ts'
import { readMessage } from '../exchanges/message-bytes.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { Session } from '../exchanges/session.ts'
import { CLIENT_INFO, ENVELOPE_KEYS, ENVELOPE_VERSION } from '../servers/envelope.ts'
import { InnerClient } from './inner-client.ts'
import { ACKNOWLEDGED, LISTS, UPDATED } from './listen-2026.ts'
import { withMembers, without } from './members.ts'
import { hasCapability } from './results.ts'
import type { TranslationDeps } from './translation-deps.ts'

/** One `subscriptions/listen` of ours at the server. */
interface Open {
  /** Its filter, as JSON. */
  readonly wanted: string
  /** Resolves once the server listens: with the outcome, if it ended instead. */
  readonly begun: Promise<Outcome | undefined>
  cancel(): void
}

/**
 * Listens at a 2026 server for all its 2025 sessions together: for changes of lists, and of the resources
 * that they subscribed to. Listens again when those change.
 */
export class Listening {
  readonly #serverName: string
  readonly #group: InstanceGroup
  readonly #deps: TranslationDeps
  readonly #sessions = new Set<Session>()
  #open: Open | undefined

  constructor(serverName: string, group: InstanceGroup, deps: TranslationDeps) {
    this.#serverName = serverName
    this.#group = group
    this.#deps = deps
  }

  /** A session has a request, so it wants to hear of changes. */
  join(session: Session): void {
    if (this.#sessions.has(session) && this.#open !== undefined) return
    this.#sessions.add(session)
    void this.changed()
  }

  leave(session: Session): void {
    if (this.#sessions.delete(session)) void this.changed()
  }

  /** Its server is being stopped. @returns the sessions that want to hear of changes */
  close(): readonly Session[] {
    const sessions = [...this.#sessions]
    this.#sessions.clear()
    this.#replace(undefined)
    return sessions
  }

  /** Listens for what the sessions want now. @returns the outcome, if the server does not listen */
  async changed(): Promise<Outcome | undefined> {
    const [first] = this.#sessions
    if (first === undefined) return this.#replace(undefined)
    const instance = await this.#group.shared(first.facts.client)
    if ('fault' in instance) return instance
    const wanted = this.#wanted(instance.introduction)
    if (wanted === undefined) return this.#replace(undefined)
    if (wanted !== this.#open?.wanted) this.#replace(this.#begin(wanted))
    return this.#open?.begun
  }

  /** The old one goes on until the new one has begun, so that nothing is missed. */
  #replace(next: Open | undefined): undefined {
    const old = this.#open
    this.#open = next
    if (next === undefined) old?.cancel()
    else void next.begun.then(() => old?.cancel())
  }

  /** @returns the filter as JSON; `undefined` if the server has nothing to listen for */
  #wanted(introduction: RawJson): string | undefined {
    const lists = Object.entries(LISTS).filter(([, list]) => hasCapability(introduction, list, 'listChanged'))
    const uris = new Set([...this.#sessions].flatMap(({ subscriptions }) => [...subscriptions]))
    if (lists.length === 0 && uris.size === 0) return undefined
    const filter = Object.fromEntries(lists.map(([name]) => [name, true]))
    return JSON.stringify({ ...filter, ...(uris.size > 0 && { resourceSubscriptions: [...uris].sort() }) })
  }

  #begin(wanted: string): Open {
    const { promise, resolve } = Promise.withResolvers<Outcome | undefined>()
    const inner = new InnerClient({
      ...{ client: 'agent', serverName: this.#serverName, traits: [], nowMs: this.#deps.system.nowMs() },
      onMessage: (message) => this.#receive(message, () => resolve(undefined)),
    })
    const params = withMembers(undefined, { notifications: Buffer.from(wanted), _meta: ENVELOPE })
    const exchange = inner.begin(LISTEN, params, () => {})
    const open = { wanted, begun: promise, cancel: () => exchange.cancel() }
    void this.#run(exchange).then((outcome) => {
      resolve(outcome)
      // A server that refused is not asked again for the same.
      const kind = 'kind' in outcome ? outcome.kind : undefined
      if (kind === 'rpc-error' || this.#open !== open) return
      this.#open = undefined
      if (kind === 'ended') this.#listenLater(0)
    })
    return open
  }

  /** The server has ended. Without a successor, nobody would hear of changes. */
  #listenLater(attempt: number): void {
    const { system } = this.#deps
    system.schedule(backoffMs(attempt, system.random), () => {
      if (this.#open !== undefined) return
      void this.changed().then((outcome) => {
        if (outcome !== undefined && 'fault' in outcome) this.#listenLater(attempt + 1)
      })
    })
  }

  async #run(exchange: Exchange): Promise<Outcome> {
    const lent = await this.#group.lend(exchange)
    if ('fault' in lent) return lent
    const outcome = await lent.use.send(exchange, exchange.facts.params)
    lent.release()
    return outcome
  }

  #receive(raw: RawJson, begun: () => void): void {
    const message = readMessage(raw)
    if (message?.method === undefined || message.id !== undefined) return
    if (message.method === ACKNOWLEDGED) return begun()
    const plain = withMembers(raw, { params: withoutSubscription(message.params) })
    for (const session of this.#concerned(message.method, message.params)) session.notify(plain)
  }

  /** Sessions that a notification concerns. */
  #concerned(method: string, params: RawJson | undefined): readonly Session[] {
    const all = [...this.#sessions]
    if (method !== UPDATED) return all
    const uri = textAt(params, ['uri']) ?? ''
    return all.filter(({ subscriptions }) => subscriptions.has(uri))
  }
}

const ENVELOPE = toJson({
  [ENVELOPE_KEYS.version]: ENVELOPE_VERSION,
  [ENVELOPE_KEYS.client]: CLIENT_INFO,
  [ENVELOPE_KEYS.capabilities]: {},
})

function withoutSubscription(params: RawJson | undefined): RawJson | undefined {
  const meta = valueAt(params, ['_meta'])
  if (params === undefined || meta === undefined) return params
  const kept = without(meta, [SUBSCRIPTION_ID])
  return withMembers(params, { _meta: kept.length > 2 ? kept : undefined })
}
