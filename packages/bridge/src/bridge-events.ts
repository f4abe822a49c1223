import { EventEmitter } from 'node:events'
import type { ReadyConnection } from './connection/ready-connection.ts'
import type { Principal } from './ports.ts'

/** The agent that an event is about. */
export interface AgentNotice {
  readonly userId: string
  readonly sessionId: string
  /** Set for an enrolled device. */
  readonly deviceId?: string
}

/** Events that an app can listen to with `bridge.on`. */
export interface BridgeEvents {
  /** An agent was verified. Its servers may still be starting. */
  readonly 'agent-connected': AgentNotice
  readonly 'agent-disconnected': AgentNotice
  /** An agent reported its servers, or a change of them. */
  readonly 'tools-changed': AgentNotice
}

export type BridgeEventName = keyof BridgeEvents
export type BridgeListener<Name extends BridgeEventName> = (notice: BridgeEvents[Name]) => void

/** [EMBED.7] Tells an app about agents. Listeners run in later turns, so that none can delay or break the bridge. */
export class AppEvents {
  readonly #emitter = new EventEmitter()

  /** @returns removes the listener */
  on<Name extends BridgeEventName>(name: Name, listener: BridgeListener<Name>): () => void {
    this.#emitter.on(name, listener)
    return () => this.#emitter.off(name, listener)
  }

  emit(name: BridgeEventName, { principal }: Pick<ReadyConnection, 'principal'>): void {
    if (this.#emitter.listenerCount(name) === 0) return
    const notice = noticeOf(principal)
    for (const listener of this.#emitter.listeners(name)) setImmediate(() => listener(notice))
  }
}

function noticeOf({ userId, sessionId, deviceId }: Principal): AgentNotice {
  return { userId, sessionId, ...(deviceId !== undefined && { deviceId }) }
}
