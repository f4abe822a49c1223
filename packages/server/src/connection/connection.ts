import {
  BridgeError,
  type CatalogServer,
  type DownMessage,
  decodeUp,
  encode,
  encodeToolExecute,
  isName,
  limits,
  objectMembers,
  type ProtocolVersion,
  type ToolExecuteFrame,
  unreachable,
} from '@bridgekeeper/protocol'
import { type CallOutcome, failed, outcomeOf, type ToolCall } from '../calls/outcome.ts'
import { generateChallenge } from '../gates/challenge.ts'
import { validateMessageSize } from '../gates/message-size.ts'
import type { Principal, SecurityLog, System } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import { OwnCalls } from './own-calls.ts'
import { PendingCalls } from './pending-calls.ts'
import { type ConnectionEvent, type ConnectionState, type Effect, opened, type Step, step } from './state.ts'

/** What a connection needs of a WebSocket; the glue that has one is in southbound. */
export interface AgentSocket {
  /** @param more whether other frames are likely to follow within this turn of the event loop */
  send(frame: Buffer, more?: boolean): void
  close(code: number, reason: string): void
}

/** What a connection knows of an agent that passed the gates. */
export interface AgentLogin {
  readonly principal: Principal
  readonly version: ProtocolVersion
  readonly ip: string
  /** Answers to the challenge that it may give. */
  readonly challengeAttempts: number
}

/** A call on its way. */
export interface SentCall {
  /** `undefined` when it was refused before it was sent. */
  readonly id: string | undefined
  cancel(): void
}

export const NOT_SENT: SentCall = { id: undefined, cancel: () => {} }

export interface ConnectionOptions {
  readonly callTimeoutMs: number
  readonly maxPendingCalls: number
}

/** A connection whose challenge is answered: all that the router ever sees of one. */
export interface ReadyConnection {
  readonly principal: Principal
  readonly version: ProtocolVersion
  /** The agent's servers; `undefined` until it says, and for v1 agents, who never do. */
  readonly catalog: ReadonlyMap<string, CatalogServer> | undefined
  readonly ip: string
  /** Sends the call; `settle` is called exactly once. */
  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall
  /** Another connection of the same login took over. */
  replace(): void
}

export interface ConnectionListener {
  verified(connection: ReadyConnection): void
  challengeFailed(): void
  ended(connection: ReadyConnection): void
  /** This socket asks for a tool itself. @returns cancels the call */
  execute(connection: ReadyConnection, call: ToolCall, settle: (outcome: CallOutcome) => void): () => void
}

/**
 * The thin shell around the state machine of `state.ts`: owns the socket, the timers and the calls
 * that wait, carries out effects, and decides nothing.
 */
export class Connection implements ReadyConnection {
  readonly principal: Principal
  readonly version: ProtocolVersion
  readonly ip: string
  readonly #socket: AgentSocket
  readonly #system: System
  readonly #listener: ConnectionListener
  readonly #log: SecurityLog
  readonly #maxPendingCalls: number
  readonly #pending: PendingCalls
  readonly #ownCalls: OwnCalls
  #state: ConnectionState
  #wasVerified = false
  #slow = false
  #unexpectedResults = 0
  #catalog: ReadonlyMap<string, CatalogServer> | undefined
  #cancelChallengeTimer: () => void
  #cancelExpiryTimer: () => void

  constructor(
    login: AgentLogin,
    socket: AgentSocket,
    listener: ConnectionListener,
    system: System,
    log: SecurityLog,
    options: ConnectionOptions,
  ) {
    this.principal = login.principal
    this.version = login.version
    this.ip = login.ip
    this.#socket = socket
    this.#listener = listener
    this.#system = system
    this.#log = log
    this.#maxPendingCalls = options.maxPendingCalls
    this.#ownCalls = new OwnCalls(login.version, options.maxPendingCalls, (frame) => {
      if (this.#state.state === 'ready') this.#socket.send(frame)
    })
    this.#pending = new PendingCalls(system, options.callTimeoutMs, (id) => this.#cancelOnAgent(id))
    this.#cancelChallengeTimer = system.after(limits.challengeMs, () =>
      this.#take({ type: 'challenge-timeout' }),
    )
    this.#cancelExpiryTimer = afterLong(system, login.principal.expiresAtMs - system.nowMs(), () =>
      this.#take({ type: 'token-expired' }),
    )
    const [state, effects] = opened(generateChallenge(system), login.challengeAttempts)
    this.#state = state
    for (const effect of effects) this.#carryOut(effect)
  }

  get catalog(): ReadonlyMap<string, CatalogServer> | undefined {
    return this.#catalog
  }

  /** One frame arrived. */
  receive(frame: Buffer, isBinary: boolean): void {
    this.#take(this.#read(frame, isBinary))
  }

  /** @param code 1006 when the peer just went away */
  socketClosed(code: number, reason: string): void {
    this.#record({ event: 'ws_connection_closed', code, reason })
    this.#take({ type: 'socket-closed' })
  }

  /** Whether the peer reads too slowly to get calls. */
  set slow(slow: boolean) {
    this.#slow = slow
  }

  replace(): void {
    this.#record({ event: 'ws_connection_replaced' })
    this.#take({ type: 'replaced' })
  }

  /** Whoever has not yet answered the challenge may no longer do so. */
  lockOut(): void {
    this.#take({ type: 'locked' })
  }

  /** Its login was revoked. */
  revoke(): void {
    this.#take({ type: 'revoked' })
  }

  drain(): void {
    this.#take({ type: 'drain' })
  }

  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    const isFull = this.#pending.size >= this.#maxPendingCalls
    if (isFull || this.#slow) {
      settle(failed(new BridgeError(this.#slow ? 'agent_slow' : 'too_many_calls')))
      return NOT_SENT
    }
    const { serverName, toolName, rawArgs } = call
    const id = this.#pending.add(settle)
    const frame = encodeToolExecute({ id, serverName, toolName, rawArgs })
    const refusal = refusalOf(call, frame)
    if (refusal !== undefined) {
      this.#pending.settle(id, failed(refusal))
      return NOT_SENT
    }
    this.#socket.send(frame, this.#pending.size > 1)
    return { id, cancel: () => this.#cancel(id) }
  }

  #cancel(id: string): void {
    if (!this.#pending.has(id)) return
    this.#pending.settle(id, failed(new BridgeError('call_cancelled')))
    this.#cancelOnAgent(id)
  }

  #cancelOnAgent(id: string): void {
    if (this.version === 'v2' && this.#state.state === 'ready') this.#send({ type: 'tool_cancel', id })
  }

  #read(frame: Buffer, isBinary: boolean): ConnectionEvent {
    const sizeBytes = frame.length
    if (isBinary) return { type: 'bad-message', code: 'message_not_text', detail: '', sizeBytes }
    if (!validateMessageSize(sizeBytes).allowed) {
      this.#failAnswer(frame, 'result_too_large')
      return { type: 'bad-message', code: 'message_too_large', detail: '', sizeBytes }
    }
    const decoded = decodeUp(frame, this.version)
    if (decoded.ok) return { type: 'message', message: decoded.message, sizeBytes }
    this.#failAnswer(frame, 'result_invalid')
    return { type: 'bad-message', code: decoded.code, detail: decoded.detail, sizeBytes }
  }

  /** [SIZE.2] [CALL.9] The caller of an answer that was refused hears so at once, not at its deadline. */
  #failAnswer(frame: Buffer, code: 'result_too_large' | 'result_invalid'): void {
    if (this.#state.state !== 'ready') return
    const id = answeredId(frame)
    if (id !== undefined) this.#pending.settle(id, failed(new BridgeError(code)))
  }

  #take(event: ConnectionEvent): void {
    const { userId, sessionId } = this.principal
    const [next, effects]: Step = step(this.#state, event, {
      userId,
      sessionId,
      nowMs: this.#system.monotonicMs(),
    })
    const ended = next.state === 'closed' && this.#state.state !== 'closed'
    this.#state = next
    for (const effect of effects) this.#carryOut(effect)
    if (ended) this.#end()
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        return this.#send(effect.message)
      case 'close':
        return this.#socket.close(effect.code, effect.reason)
      case 'verified':
        this.#cancelChallengeTimer()
        this.#wasVerified = true
        return this.#listener.verified(this)
      case 'challenge-failed':
        return this.#listener.challengeFailed()
      case 'log':
        return this.#record(effect.event)
      case 'catalog':
        this.#catalog = new Map(effect.servers.map((server) => [server.name, server]))
        return
      case 'result':
        if (!this.#pending.settle(effect.result.id, outcomeOf(effect.result, this.version)))
          this.#recordUnexpected(effect.result.id)
        return
      case 'execute':
        return this.#execute(effect.call)
      default:
        return unreachable(effect)
    }
  }

  #execute({ id, serverName, toolName, rawArgs }: ToolExecuteFrame): void {
    this.#ownCalls.run(id, (settle) =>
      this.#listener.execute(this, { serverName, toolName, rawArgs }, settle),
    )
  }

  #record(event: SecurityEvent): void {
    this.#log.logSecurityEvent({ ...event, userId: this.principal.userId, ip: this.ip })
  }

  /** A late answer is no attack; a peer that only guesses fills the log ever more slowly. */
  #recordUnexpected(requestId: string): void {
    const count = ++this.#unexpectedResults
    const isPowerOfTwo = (count & (count - 1)) === 0
    if (isPowerOfTwo) this.#record({ event: 'ws_unexpected_result', requestId })
  }

  #send(message: DownMessage): void {
    this.#socket.send(encode(message))
  }

  #end(): void {
    this.#cancelChallengeTimer()
    this.#cancelExpiryTimer()
    if (this.#wasVerified) this.#listener.ended(this)
    this.#pending.failAll('outcome_unknown')
    this.#ownCalls.cancelAll()
  }
}

/** How an answer begins by custom. It is all that can be read of one that nests too deep, or has hostile keys. */
const ANSWER_HEAD = /^\{"type":"tool_result","id":"([\w-]+)"/
const HEAD_BYTES = 256

/** The call that a refused frame meant to answer. */
function answeredId(frame: Buffer): string | undefined {
  const span = objectMembers(frame)?.get('id')
  if (span !== undefined) return frame.toString('utf8', span[0] + 1, span[1] - 1)
  return ANSWER_HEAD.exec(frame.toString('latin1', 0, HEAD_BYTES))?.[1]
}

/** [CALL.6] What the agent could only refuse is not sent: its caller would wait for nothing. */
function refusalOf({ serverName, toolName, bounded }: ToolCall, frame: Buffer): BridgeError | undefined {
  if (!isName(serverName)) return new BridgeError('server_not_found')
  if (!isName(toolName)) return new BridgeError('tool_name_invalid')
  if (!validateMessageSize(frame.length).allowed) return new BridgeError('arguments_too_large')
  return bounded || objectMembers(frame) !== undefined ? undefined : new BridgeError('arguments_invalid')
}

/** Node's timers hold 31 bits of milliseconds; a token may live longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

function afterLong(system: System, delayMs: number, run: () => void): () => void {
  let cancel = () => {}
  const arm = (leftMs: number): void => {
    const stepMs = Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS))
    cancel = system.after(stepMs, () => (leftMs > stepMs ? arm(leftMs - stepMs) : run()))
  }
  arm(delayMs)
  return () => cancel()
}
