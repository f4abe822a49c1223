import { BridgeError, limits, type ToolExecuteFrame, unreachable } from '@bridgekeeper/protocol'
import { type CallOutcome, isRefusal, type ToolCall } from '../calls/outcome.ts'
import type { System } from '../ports.ts'
import { AgentCalls, notSent } from './agent-calls.ts'
import { AgentPayloads } from './agent-payloads.ts'
import { type Catalog, type CatalogPart, CatalogParts } from './catalog-parts.ts'
import type { AgentSocket, ConnectionListener, ConnectionOptions } from './connection-listener.ts'
import type { DataLink } from './data-link.ts'
import type { BadMessageEvent, DataEffect } from './life.ts'
import { OwnCalls } from './own-calls.ts'
import { answeredId } from './read-frame.ts'
import type { SentCall } from './ready-connection.ts'

/** Handles the data frames of a verified agent: results of calls, frames of exchanges, calls that the agent makes, its catalog. */
export class DataFrames {
  /** Whether the agent reads too slowly to get calls. */
  isSlow = false
  readonly #link: DataLink
  readonly #socket: AgentSocket
  readonly #listener: ConnectionListener
  readonly #system: System
  readonly #options: ConnectionOptions
  // Created on first use: most of the many connections are idle most of the time.
  #agentCalls: AgentCalls | undefined
  #ownCalls: OwnCalls | undefined
  #payloads: AgentPayloads | undefined
  /** The last one that the agent sent, which its next frame may change. */
  #catalog: Catalog | undefined
  #catalogParts: CatalogParts | undefined

  constructor(
    link: DataLink,
    socket: AgentSocket,
    listener: ConnectionListener,
    system: System,
    options: ConnectionOptions,
  ) {
    this.#link = link
    this.#socket = socket
    this.#listener = listener
    this.#system = system
    this.#options = options
  }

  get payloads(): AgentPayloads {
    this.#payloads ??= new AgentPayloads(this.#socket)
    return this.#payloads
  }

  /** Nobody needs more payload of this exchange or call. */
  drop(id: string): void {
    this.#payloads?.drop(id)
  }

  /** Sends a call to the agent. `settle` is called exactly once. */
  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    if (this.isSlow) return notSent(settle, new BridgeError('agent_slow'))
    return this.#calls().send(call, settle)
  }

  /** @returns whether the frame answers a call, or is itself one that the rate limit counts */
  receive(frame: DataEffect): boolean {
    switch (frame.type) {
      case 'result':
        return this.#calls().answered(frame.result)
      case 'execute':
        this.#execute(frame.call)
        return true
      case 'catalog':
        this.#addToCatalog(frame)
        return false
      case 'exchange':
        return this.#listener.exchangeFrame(this.#link, frame.frame)
      case 'credit':
        return this.#isTaken(this.#payloads?.credit(frame.id, frame.bytes) ?? 'unknown', frame.sizeBytes)
      default:
        return unreachable(frame)
    }
  }

  /** Handles a binary frame. */
  receiveChunk(frame: Buffer): void {
    const isTaken = this.#isTaken(this.payloads.take(frame), frame.length)
    if (!isTaken) this.#listener.uncountedFrame(frame.length)
  }

  /** @returns whether an open payload needs the frame */
  #isTaken(taken: 'taken' | 'unknown' | 'excess' | 'malformed', sizeBytes: number): boolean {
    const refused = { type: 'bad-message', sizeBytes } as const
    if (taken === 'malformed') this.#link.refuse({ ...refused, code: 'message_not_text', detail: '' })
    const detail = 'It exceeds its payload or window.'
    if (taken === 'excess') this.#link.refuse({ ...refused, code: 'message_invalid', detail })
    return taken === 'taken'
  }

  /** Handles a frame that could not be read. If it answers a call or an exchange, that one fails. */
  receiveInvalid(frame: Buffer, { code }: BadMessageEvent): void {
    const id = answeredId(frame)
    if (id === undefined) return
    const failure = code === 'message_too_large' ? 'result_too_large' : 'result_invalid'
    this.#agentCalls?.answerRefused(id, failure)
    this.#listener.endRefused(this.#link, id, failure)
  }

  /** Ends all calls when the connection has ended. */
  end(): void {
    this.#payloads?.end()
    this.#agentCalls?.failAll()
    this.#ownCalls?.cancelAll()
  }

  #calls(): AgentCalls {
    this.#agentCalls ??= new AgentCalls(this.#link, this.#socket, this.#system, this.#options)
    return this.#agentCalls
  }

  #execute({ id, serverName, toolName, rawArgs }: ToolExecuteFrame): void {
    this.#ownCalls ??= new OwnCalls(this.#link.version, this.#options.maxPendingCalls, (frame) => {
      if (this.#link.isReady) this.#socket.write(frame)
    })
    this.#ownCalls.run(id, (settle, obstacle) => {
      const settled = (outcome: CallOutcome): void => {
        if (isRefusal(outcome)) this.#listener.uncountedFrame(rawArgs.length)
        settle(outcome)
      }
      return this.#listener.execute(this.#link, { serverName, toolName, rawArgs }, settled, obstacle)
    })
  }

  #addToCatalog(part: CatalogPart): void {
    const parts = this.#catalogParts ?? new CatalogParts(part.only ? this.#catalog : undefined)
    this.#catalogParts = part.more ? parts : undefined
    const catalog = parts.add(part)
    if (catalog === 'too-large') {
      const detail = `A catalog has at most ${limits.catalogBytes} bytes.`
      this.#link.refuse({ type: 'bad-message', code: 'message_too_large', detail, sizeBytes: part.sizeBytes })
    } else if (catalog !== 'incomplete') {
      this.#catalog = catalog
      this.#listener.catalogChanged(this.#link, catalog)
    }
  }
}
