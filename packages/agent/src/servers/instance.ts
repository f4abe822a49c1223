import type { ClientTrait, Era, RawJson } from '@bridgekeeper/protocol'
import type { RawOutcome } from './raw-calls.ts'

/** Distinguishes the instances of a local server. */
export interface InstanceKey {
  readonly era: Era
  /** Capabilities that the agent declares for its callers, sorted. Always empty in the 2026 era. */
  readonly traits: readonly ClientTrait[]
}

/** A request or notification of a local server. Payloads are its bytes. */
export interface ServerMessage {
  readonly method: string
  /** JSON of the id, for a request; `undefined` for a notification. */
  readonly id: RawJson | undefined
  /** One JSON object; `undefined` if there are none. */
  readonly params: RawJson | undefined
  /** The whole message. */
  readonly raw: RawJson
}

/** One running, initialized process of a local server. */
export interface Instance {
  readonly key: InstanceKey
  /** Revision of MCP that it speaks. */
  readonly version: string
  /** Its result of `initialize` or `server/discover`. */
  readonly introduction: RawJson
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  /** Whether calls in the short form run, to which the server's messages may belong. */
  readonly hasShortCalls: boolean
  /**
   * Receives all messages of the server but its answers, and pings, which are answered already. Set it as soon
   * as you have the instance: it then receives the messages so far.
   */
  onMessage: (message: ServerMessage) => void
  /**
   * Sends a request under an id of its own. Never rejects. Aborting the signal sends `notifications/cancelled`.
   * @param sent receives the id, before the server can answer
   */
  request(
    method: string,
    params: RawJson | undefined,
    signal: AbortSignal,
    sent?: (id: number) => void,
  ): Promise<RawOutcome>
  notify(method: string, params: RawJson | undefined): void
  /** Answers a request of the server. @param member `result` or `error`, with one JSON object */
  answer(id: RawJson, member: 'result' | 'error', value: RawJson): void
  /**
   * Keeps the process although it has no open request and no lease, such as for a subscription or a task.
   * @returns ends that; may be called more than once
   */
  hold(): () => void
}

/** Starts instances of one local server, within the limits of the machine. */
export interface Instances {
  /** Eras that the server is known to speak or not to speak. */
  readonly eras: Readonly<Partial<Record<Era, boolean>>>
  /**
   * The instance that everyone with this key shares; starts it if necessary. One start serves all who wait.
   * @param client login that needs it; without it, the agent itself
   */
  shared(key: InstanceKey, client?: string): Promise<Instance | InstanceFault>
  /**
   * An instance of this key for a request during which the server may ask its caller. Waits in a queue for one
   * that nobody else uses, while the server is known to ask or not known well enough.
   * @param owner who is asked. An owner that has leases already gets the same instance, at once
   */
  lease(key: InstanceKey, owner: object, options: LeaseOptions): Promise<Lease | InstanceFault>
  /** The only owner who has leases of this instance; `undefined` if there are several or none. */
  ownerOf(instance: Instance): object | undefined
}

export interface LeaseOptions {
  /** Leaves the queue. */
  readonly signal: AbortSignal
  /** Used if it is free. Without it, the owner's last instance. */
  readonly prefer?: Instance | undefined
  /** Login that needs it. */
  readonly client?: string
}

/** The use of an instance by one owner. */
export interface Lease {
  readonly instance: Instance
  /** Whether nobody else has a lease of the instance before this one ends. */
  readonly isExclusive: boolean
  /** Ends the use; may be called more than once. */
  release(): void
  /**
   * Takes the instance out of the pool until its release, so that others need not wait for it.
   * @param ifFull too many are parked: `evict` ends the oldest of the client with most, `stay` leaves this one in the pool
   */
  park(ifFull: 'evict' | 'stay'): void
}

/** Why there is no such instance. */
export type InstanceFault =
  /** The server does not speak that era. */
  | { readonly fault: 'era' }
  /** @property reason for the machine's user and the caller */
  | { readonly fault: 'unavailable'; readonly reason: string }
