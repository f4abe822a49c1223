import { EventEmitter } from 'node:events'
import type { ReadyConnection } from './connection/ready-connection.ts'
import type { Principal } from './ports.ts'

/** The agent that an event is about. */
export interface AgentNotice {
  readonly userId: string
  readonly sessionId: string
  /** Set for an enrolled device. */
  readonly deviceId?: string
  /**
   * Number of the connection, unique within the bridge. When a login connects again, its new connection is announced
   * before the end of the one that it replaces.
   */
  readonly connection: number
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
export type BridgeListener<Name extends BridgeEventName> = (notice: BridgeEvents[Name]) => unknown

type Connection = Pick<ReadyConnection, 'principal'>

/**
 * [EMBED.7] Notifies an app about agents. Listeners run in later turns, so that none can delay or break the
 * bridge.
 */
export class AppEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  readonly #numbers = new WeakMap<Connection, number>()
  #connections = 0

  /** @returns removes the listener */
  on<Name extends BridgeEventName>(name: Name, listener: BridgeListener<Name>): () => void {
    this.#emitter.on(name, listener)
    return () => this.#emitter.off(name, listener)
  }

  emit(name: BridgeEventName, connection: Connection): void {
    const number = this.#numberOf(connection)
    if (this.#emitter.listenerCount(name) === 0) return
    const notice = { ...noticeOf(connection.principal), connection: number }
    for (const listener of this.#emitter.listeners(name))
      setImmediate(() => void notify(listener as BridgeListener<typeof name>, notice))
  }

  #numberOf(connection: Connection): number {
    const number = this.#numbers.get(connection) ?? ++this.#connections
    this.#numbers.set(connection, number)
    return number
  }
}

/** [EMBED.10] An app's error must not end the process, and with it all connections. */
async function notify<Notice>(listener: (notice: Notice) => unknown, notice: Notice): Promise<void> {
  try {
    await listener(notice)
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error), 'BridgeListenerWarning')
  }
}

function noticeOf({ userId, sessionId, deviceId }: Principal): Omit<AgentNotice, 'connection'> {
  return { userId, sessionId, ...(deviceId !== undefined && { deviceId }) }
}
