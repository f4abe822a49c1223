import type { ClientTrait, Era, RawJson } from '@bridgekeeper/protocol'
import type { RawOutcome } from './raw-calls.ts'

/** What the instances of a local server differ in. */
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
  /** Receives all messages of the server but its answers, and pings, which are answered already. */
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
}

/** Starts instances of one local server, within the limits of the machine. */
export interface Instances {
  /** Eras that the server is known to speak or not to speak. */
  readonly eras: Readonly<Partial<Record<Era, boolean>>>
  /** The instance that everyone with this key shares; starts it if necessary. One start serves all who wait. */
  shared(key: InstanceKey): Promise<Instance | InstanceFault>
}

/** Why there is no such instance. */
export interface InstanceFault {
  /** `era` if the server does not speak that era. */
  readonly fault: 'era' | 'unavailable'
  /** For the machine's user and the caller. */
  readonly reason: string
}
