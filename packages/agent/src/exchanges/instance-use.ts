import { type RawJson, replaceAt, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import type { Instance, Instances, Lease, ServerMessage } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import type { Asked, Asks } from './asks.ts'
import type { Exchange } from './exchange.ts'
import { idKey, numberOf } from './message-bytes.ts'
import type { RootsPolicy } from './server-port.ts'
import type { Session } from './session.ts'
import type { Tasks } from './tasks.ts'

export const PROGRESS_TOKEN = ['_meta', 'progressToken'] as const
/** A request that stays open, and during which a server does nothing of its own. */
export const LISTEN = 'subscriptions/listen'
export const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'

/** The beginning of the traits that a client must have for each question. */
const FAMILIES: ReadonlyMap<string, string> = new Map([
  ['sampling/createMessage', 'sampling'],
  ['elicitation/create', 'elicitation'],
  ['roots/list', 'roots'],
])

export interface UseDeps {
  readonly asks: Asks
  readonly instances: Instances
  readonly roots: RootsPolicy
  readonly serverName: string
  readonly tasks: Tasks
  /** The session that uses instances with this key, if there is only one. */
  readonly onlySession: () => Session | undefined
  /** Receives notifications that belong to no exchange. */
  readonly onNotification: (message: ServerMessage) => void
  /** Receives log messages of the server, with the only client that can have caused them. */
  readonly onLog: (recipient: Recipient | undefined, message: ServerMessage) => void
}

/** A client, and where it reads a notification. */
export interface Recipient {
  readonly session: Session | undefined
  send(message: RawJson): void
}

/** Open exchange of an instance, under the ids that the server knows. */
interface Sent {
  readonly exchange: Exchange
  readonly token: number
  readonly lease: Pick<Lease, 'park'> | undefined
  upstreamId: number | undefined
}

/** One instance with the exchanges that are open on it. Routes each message of the server to the one it belongs to. */
export class InstanceUse {
  readonly instance: Instance
  readonly #deps: UseDeps
  readonly #open = new Map<number, Sent>()
  #lastToken = 0

  constructor(instance: Instance, deps: UseDeps) {
    this.instance = instance
    this.#deps = deps
    instance.onMessage = (message) => this.#receive(message)
    void instance.ended.then(() => {
      deps.asks.endInstance(instance)
      deps.tasks.endInstance(instance)
    })
  }

  /**
   * Sends an exchange's request. Never rejects.
   * @param lease is parked when the server asks the exchange's client
   */
  async send(
    exchange: Exchange,
    params: RawJson | undefined,
    lease?: Pick<Lease, 'park'>,
  ): Promise<RawOutcome> {
    const token = ++this.#lastToken
    const sent: Sent = { exchange, token, lease, upstreamId: undefined }
    this.#open.set(token, sent)
    const outcome = await this.instance.request(
      exchange.facts.method,
      withToken(params, token),
      exchange.signal,
      (id) => {
        sent.upstreamId = id
        exchange.accepted()
      },
    )
    this.#open.delete(token)
    this.#deps.tasks.answered(exchange, outcome)
    if (outcome.kind !== 'result') return outcome
    const callerToken = valueAt(params, PROGRESS_TOKEN)
    this.#deps.tasks.record(exchange, { instance: this.instance, token, callerToken }, outcome.result)
    return { ...outcome, result: restoreSubscription(sent, outcome.result) }
  }

  /** The client that a notification concerns: that of the task that it names, or else the only owner. */
  recipientOf({ params }: ServerMessage): Recipient | undefined {
    const taskId = relatedTask(params)
    const ofTask = taskId === undefined ? undefined : this.#ofTask(taskId)
    const exchange = taskId === undefined ? this.soleOwner()?.[0] : ofTask?.exchange
    const session = ofTask?.session ?? exchange?.facts.session
    if (exchange !== undefined) return { session, send: (message) => exchange.message(message) }
    return session && { session, send: (message) => session.notify(message) }
  }

  /**
   * The open exchanges, if one owner has them all.
   * @returns `undefined` also while a call in the short form, or another owner's task, is running
   */
  soleOwner(): readonly Exchange[] | undefined {
    if (this.instance.hasShortCalls) return undefined
    const exchanges = [...this.#open.values()]
      .map(({ exchange }) => exchange)
      .filter(({ facts }) => facts.method !== LISTEN)
    const owners = new Set(exchanges.map(ownerOf))
    const [first] = exchanges
    if (first === undefined || this.#deps.tasks.runsForOthers(this.instance, first)) return undefined
    return owners.size === 1 ? exchanges : undefined
  }

  #receive(message: ServerMessage): void {
    if (message.id !== undefined) return this.#ask(message.id, message)
    switch (message.method) {
      case 'notifications/progress':
        return this.#progress(message)
      case 'notifications/cancelled':
        return this.#deps.asks.cancelled(this.instance, message)
      case 'notifications/elicitation/complete':
        return this.#deps.asks.completed(this.instance, this.#deps.serverName, message)
      case 'notifications/message':
        return this.#deps.onLog(this.recipientOf(message), message)
      default:
        return this.#notification(message)
    }
  }

  #progress({ params, raw }: ServerMessage): void {
    const token = numberOf(valueAt(params, ['progressToken'])) ?? 0
    const exchange = this.#open.get(token)?.exchange
    const task = exchange === undefined ? this.#deps.tasks.ofToken(this.instance, token) : undefined
    const callerToken = task?.callerToken ?? valueAt(exchange?.facts.params, PROGRESS_TOKEN)
    if (callerToken === undefined) return
    const message = replaceAt(raw, ['params', 'progressToken'], callerToken)
    if (exchange !== undefined) exchange.message(message)
    else task?.session?.notify(message)
  }

  /** [EXCH.25] A notification of a subscription belongs to the exchange that listens. */
  #notification(message: ServerMessage): void {
    const id = valueAt(message.params, ['_meta', SUBSCRIPTION_ID])
    if (id === undefined) return this.#deps.onNotification(message)
    const number = numberOf(id)
    const sent = [...this.#open.values()].find(
      ({ upstreamId }) => upstreamId !== undefined && upstreamId === number,
    )
    sent?.exchange.message(
      replaceAt(message.raw, ['params', '_meta', SUBSCRIPTION_ID], sent.exchange.facts.callerId),
    )
  }

  #ask(id: RawJson, message: ServerMessage): void {
    const { roots, asks } = this.#deps
    if (message.method === 'roots/list' && roots.kind !== 'client')
      return this.instance.answer(id, 'result', rootsResult(roots))
    const asked = this.#asked(message)
    if (asked === undefined) {
      const hasTraits = this.instance.key.traits.length > 0
      return this.instance.answer(id, 'error', hasTraits ? NO_OWNER : NOT_FOUND)
    }
    if (!asks.pass(this.instance, id, message, asked)) return this.instance.answer(id, 'error', TOO_MANY)
    // People answer in minutes: other clients must not wait for that.
    for (const { exchange, lease } of this.#open.values())
      if (exchange === asked.exchange) lease?.park('stay')
  }

  /** The task's session, else the owner of the only lease, else that of the only open exchange. */
  #asked({ method, params }: ServerMessage): Asked | undefined {
    const taskId = relatedTask(params)
    const { instances, onlySession } = this.#deps
    const ofTask = taskId === undefined ? undefined : this.#ofTask(taskId)
    if (ofTask !== undefined) return ofTask
    const holder = instances.ownerOf(this.instance)
    const open = [...this.#open.values()].map(({ exchange }) => exchange)
    const candidates = open.filter((exchange) => exchange.canAsk)
    const exchange =
      holder === undefined
        ? this.soleOwner() && candidates[0]
        : candidates.find((candidate) => ownerOf(candidate) === holder)
    // Servers ask for roots between requests, too.
    const session = exchange?.facts.session ?? (method === 'roots/list' ? onlySession() : undefined)
    // The server may ask because of a call in the short form, which runs in the same process.
    return session !== undefined && declares(session, method) ? { session, exchange } : undefined
  }

  /** The session of a task, and its request that waits for the task's result. */
  #ofTask(taskId: string): Asked | undefined {
    const session = this.#deps.tasks.of(this.instance, taskId)?.session
    const exchange = [...this.#open.values()]
      .map((sent) => sent.exchange)
      .filter(({ facts }) => facts.session === session && facts.method === 'tasks/result')
      .find(({ facts }) => textAt(facts.params, ['taskId']) === taskId)
    return session && { session, exchange }
  }
}

/** Holds leases and is asked: the session, or the exchange of a caller without one. */
export function ownerOf(exchange: Exchange): object {
  return exchange.facts.session ?? exchange
}

function relatedTask(params: RawJson | undefined): string | undefined {
  return textAt(params, ['_meta', 'io.modelcontextprotocol/related-task', 'taskId'])
}

function declares({ facts: { traits } }: Session, method: string): boolean {
  const family = FAMILIES.get(method)
  return family === undefined || traits.some((trait) => trait.startsWith(family))
}

/** For a server to which no capability was declared. */
const NOT_FOUND = toJson({ code: -32_601, message: 'Method not found' })
const NO_OWNER = toJson({
  code: -32_603,
  message: 'No client can be asked: the request does not belong to exactly one open request of a client.',
})
const TOO_MANY = toJson({ code: -32_603, message: 'Too many requests wait for the answer of a client.' })

/** The result of `roots/list` that the config entry of a server allows. */
export function rootsResult(roots: RootsPolicy): RawJson {
  return toJson({ roots: roots.kind === 'fixed' ? roots.uris.map((uri) => ({ uri })) : [] })
}

/** Replaces the caller's progress token, which another caller may use, too. */
function withToken(params: RawJson | undefined, token: number): RawJson | undefined {
  if (idKey(valueAt(params, PROGRESS_TOKEN)) === undefined) return params
  return params && replaceAt(params, PROGRESS_TOKEN, Buffer.from(String(token)))
}

/** A subscription is named by the id of the request that opened it. */
function restoreSubscription({ exchange, upstreamId }: Sent, result: RawJson): RawJson {
  const path = ['_meta', SUBSCRIPTION_ID]
  if (upstreamId === undefined || numberOf(valueAt(result, path)) !== upstreamId) return result
  return replaceAt(result, path, exchange.facts.callerId)
}
