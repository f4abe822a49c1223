import { type RawJson, toJson } from '@bridgekeeper/protocol'
import type { Instance, InstanceFault, ServerMessage } from '../servers/instance.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import { request, SUCCESS, type Target } from './log-levels.ts'
import { textAt } from './message-bytes.ts'
import type { Session } from './session.ts'

/** Subscriptions of one session. */
export const MAX_SUBSCRIPTIONS = 256
const TOO_MANY: RawOutcome = {
  kind: 'rpc-error',
  message: 'too many subscriptions',
  rpcError: toJson({
    code: -32_602,
    message: `A session may have at most ${MAX_SUBSCRIPTIONS} subscriptions.`,
  }),
}

interface Subscribed {
  readonly sessions: Set<Session>
  /** The server's answer to the first subscription. */
  readonly answer: Promise<RawOutcome>
}

/** Subscriptions to resources of sessions that share instances. The server has one for each resource. */
export class Subscriptions {
  readonly #target: Target
  readonly #byUri = new Map<string, Subscribed>()
  /** Keeps the shared instance while there is a subscription. */
  #hold: (() => void) | undefined

  constructor(target: Target) {
    this.#target = target
  }

  /** @param params of the session's request */
  async subscribe(session: Session, params: RawJson | undefined): Promise<RawOutcome | InstanceFault> {
    const instance = await this.#target.shared()
    if ('fault' in instance) return instance
    const uri = textAt(params, ['uri'])
    if (uri === undefined) return request(instance, 'resources/subscribe', params)
    if (session.subscriptions.size >= MAX_SUBSCRIPTIONS && !session.subscriptions.has(uri)) return TOO_MANY
    const known = this.#byUri.get(uri)
    const subscribed = known ?? { sessions: new Set(), answer: this.#begin(instance, uri) }
    this.#byUri.set(uri, subscribed)
    subscribed.sessions.add(session)
    session.subscriptions.add(uri)
    const answer = await subscribed.answer
    if (answer.kind !== 'result') this.#remove(session, uri)
    else this.#hold ??= instance.hold()
    return known === undefined || answer.kind !== 'result' ? answer : SUCCESS
  }

  /** @param params of the session's request */
  async unsubscribe(session: Session, params: RawJson | undefined): Promise<RawOutcome | InstanceFault> {
    const instance = await this.#target.shared()
    if ('fault' in instance) return instance
    const uri = textAt(params, ['uri'])
    if (uri === undefined) return request(instance, 'resources/unsubscribe', params)
    if (!this.#remove(session, uri)) return SUCCESS
    return this.#end(instance, uri)
  }

  leave(session: Session): void {
    for (const uri of session.subscriptions) {
      if (!this.#remove(session, uri)) continue
      for (const instance of this.#target.all())
        void request(instance, 'resources/unsubscribe', toJson({ uri }))
    }
  }

  /** Restores a session that was forgotten, with the subscriptions that it had. */
  restore(session: Session): void {
    for (const uri of session.subscriptions) {
      const subscribed = this.#byUri.get(uri) ?? { sessions: new Set(), answer: Promise.resolve(SUCCESS) }
      this.#byUri.set(uri, subscribed)
      subscribed.sessions.add(session)
    }
  }

  /** Sends all subscriptions to an instance that is new. */
  replay(instance: Instance): void {
    for (const uri of this.#byUri.keys()) void request(instance, 'resources/subscribe', toJson({ uri }))
  }

  /** An instance has ended: its successor must be there for changes to be seen. */
  instanceEnded(): void {
    this.#hold = undefined
    if (this.#byUri.size > 0) void this.#target.shared()
  }

  /** The sessions that a change of a resource concerns. */
  subscribers({ params }: ServerMessage): Iterable<Session> {
    return this.#byUri.get(textAt(params, ['uri']) ?? '')?.sessions ?? []
  }

  #begin(instance: Instance, uri: string): Promise<RawOutcome> {
    const params = toJson({ uri })
    for (const other of this.#target.all())
      if (other !== instance) void request(other, 'resources/subscribe', params)
    return request(instance, 'resources/subscribe', params)
  }

  #end(instance: Instance, uri: string): Promise<RawOutcome> {
    const params = toJson({ uri })
    for (const other of this.#target.all())
      if (other !== instance) void request(other, 'resources/unsubscribe', params)
    return request(instance, 'resources/unsubscribe', params)
  }

  /** @returns whether that was the last subscription to the resource */
  #remove(session: Session, uri: string): boolean {
    session.subscriptions.delete(uri)
    const sessions = this.#byUri.get(uri)?.sessions
    if (sessions?.delete(session) !== true || sessions.size > 0) return false
    this.#byUri.delete(uri)
    if (this.#byUri.size === 0) this.#hold?.()
    if (this.#byUri.size === 0) this.#hold = undefined
    return true
  }
}
