import { type RawJson, textAt, toJson } from '@bridgekeeper/protocol'
import { backoffMs } from '../backoff.ts'
import type { Instance, InstanceFault, ServerMessage } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import type { System } from '../system.ts'
import { ownError, ownRequest, SUCCESS, type Target } from './own-request.ts'
import type { Session } from './session.ts'

/** Subscriptions of one session. */
export const MAX_SUBSCRIPTIONS = 256
/** Characters of their URIs together. */
export const MAX_SUBSCRIBED_CHARS = 65_536
const SUBSCRIBE = 'resources/subscribe'
const UNSUBSCRIBE = 'resources/unsubscribe'
export const TOO_MANY = ownError(
  -32_602,
  `A session may have at most ${MAX_SUBSCRIPTIONS} subscriptions, and ${MAX_SUBSCRIBED_CHARS} characters in their URIs.`,
)
/** The agent itself refuses it: a server that accepts it would change subscriptions of other sessions. */
export const INVALID_URI = ownError(-32_602, 'Invalid params: "uri" must be a string.')

/** Whether a session has room for this subscription, or has it already. */
export function maySubscribe({ subscriptions }: Session, uri: string): boolean {
  if (subscriptions.has(uri)) return true
  const chars = [...subscriptions].reduce((sum, { length }) => sum + length, uri.length)
  return subscriptions.size < MAX_SUBSCRIPTIONS && chars <= MAX_SUBSCRIBED_CHARS
}

interface Subscribed {
  readonly sessions: Set<Session>
  /** The server's answer to the first subscription. */
  readonly answer: Promise<RawOutcome>
}

/** Subscriptions to resources of sessions that share instances. The server has one for each resource. */
export class Subscriptions {
  readonly #target: Target
  readonly #system: System
  readonly #byUri = new Map<string, Subscribed>()
  /** The instance that is kept running while there is a subscription. */
  #held: { readonly instance: Instance; readonly release: () => void } | undefined

  constructor(target: Target, system: System) {
    this.#target = target
    this.#system = system
  }

  /** @param params of the session's request */
  async subscribe(session: Session, params: RawJson | undefined): Promise<RawOutcome | InstanceFault> {
    const uri = textAt(params, ['uri'])
    if (uri === undefined) return INVALID_URI
    const instance = await this.#target.shared(session.facts.client)
    if ('fault' in instance) return instance
    if (session.isOver) return SUCCESS
    if (!maySubscribe(session, uri)) return TOO_MANY
    const known = this.#byUri.get(uri)
    const subscribed = known ?? { sessions: new Set(), answer: this.#sendAll(SUBSCRIBE, uri, instance) }
    this.#byUri.set(uri, subscribed)
    subscribed.sessions.add(session)
    session.subscriptions.add(uri)
    const answer = await subscribed.answer
    if (answer.kind !== 'result') this.#remove(session, uri)
    else this.#hold(instance)
    return known === undefined || answer.kind !== 'result' ? answer : SUCCESS
  }

  /** @param params of the session's request */
  async unsubscribe(session: Session, params: RawJson | undefined): Promise<RawOutcome | InstanceFault> {
    const uri = textAt(params, ['uri'])
    if (uri === undefined) return INVALID_URI
    const instance = await this.#target.shared(session.facts.client)
    if ('fault' in instance) return instance
    return this.#remove(session, uri) ? this.#sendAll(UNSUBSCRIBE, uri, instance) : SUCCESS
  }

  leave(session: Session): void {
    for (const uri of session.subscriptions) {
      if (this.#remove(session, uri)) void this.#sendAll(UNSUBSCRIBE, uri)
    }
  }

  /** Forgets all subscriptions. The sessions keep their lists of them. */
  close(): void {
    this.#byUri.clear()
    this.#held?.release()
    this.#held = undefined
  }

  /** Restores a session that was forgotten, with the subscriptions that it had. */
  restore(session: Session): void {
    for (const uri of session.subscriptions) {
      const subscribed = this.#byUri.get(uri) ?? {
        sessions: new Set(),
        answer: this.#sendAll(SUBSCRIBE, uri),
      }
      this.#byUri.set(uri, subscribed)
      subscribed.sessions.add(session)
    }
    if (session.subscriptions.size > 0) this.#holdLater(0)
  }

  /** Sends all subscriptions to an instance that is new. */
  replay(instance: Instance): void {
    for (const uri of this.#byUri.keys()) void ownRequest(instance, SUBSCRIBE, toJson({ uri }))
  }

  /** An instance has ended. Without a successor, nobody would see the changes. */
  instanceEnded(instance: Instance): void {
    if (this.#held?.instance !== instance) return
    this.#held = undefined
    this.#holdLater(0)
  }

  #holdLater(attempt: number): void {
    this.#system.schedule(backoffMs(attempt, this.#system.random), () => void this.#holdNow(attempt))
  }

  async #holdNow(attempt: number): Promise<void> {
    const [first] = [...this.#byUri.values()].flatMap(({ sessions }) => [...sessions])
    if (first === undefined || this.#held !== undefined) return
    const instance = await this.#target.shared(first.facts.client)
    // A server of the other era gets no subscriptions.
    if (!('fault' in instance)) this.#hold(instance)
    else if (instance.fault !== 'era') this.#holdLater(attempt + 1)
  }

  /** Keeps this instance running, unless another one is kept or nobody is subscribed any more. */
  #hold(instance: Instance): void {
    if (this.#byUri.size > 0) this.#held ??= { instance, release: instance.hold() }
  }

  /** The sessions that a change of a resource concerns. */
  subscribers({ params }: ServerMessage): Iterable<Session> {
    return this.#byUri.get(textAt(params, ['uri']) ?? '')?.sessions ?? []
  }

  /** @param first its answer counts */
  async #sendAll(method: string, uri: string, first?: Instance): Promise<RawOutcome> {
    const params = toJson({ uri })
    for (const other of this.#target.all()) if (other !== first) void ownRequest(other, method, params)
    return first === undefined ? SUCCESS : ownRequest(first, method, params)
  }

  /** @returns whether that was the last subscription to the resource */
  #remove(session: Session, uri: string): boolean {
    session.subscriptions.delete(uri)
    const sessions = this.#byUri.get(uri)?.sessions
    if (sessions?.delete(session) !== true || sessions.size > 0) return false
    this.#byUri.delete(uri)
    if (this.#byUri.size > 0) return true
    this.#held?.release()
    this.#held = undefined
    return true
  }
}
