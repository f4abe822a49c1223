import {
  BridgeError,
  closeCodes,
  type DownMessage,
  type ErrorCode,
  encode,
  isTooDeep,
  limits,
  type ProtocolVersion,
  type ToolExecuteFrame,
  unreachable,
} from '@bridgekeeper/protocol'
import { type CallOutcome, failed, isRefusal, outcomeOf, type ToolCall } from '../calls/outcome.ts'
import { generateChallenge } from '../gates/challenge.ts'
import type { Verdict } from '../gates/verdict.ts'
import type { Principal, SecurityLog, System } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import { AbandonedCalls } from './abandoned-calls.ts'
import type { AgentContext, ProofExchange } from './agent-context.ts'
import { callFrame } from './call-frame.ts'
import { type Catalog, type CatalogPart, CatalogParts } from './catalog-parts.ts'
import type { DeadlineQueue } from './deadline-queue.ts'
import { Deadlines, type Due, type DueListener } from './deadlines.ts'
import type { ConnectionEvent, ConnectionState, Effect, RenewalFacts, Step } from './life.ts'
import { OwnCalls } from './own-calls.ts'
import { PendingCalls } from './pending-calls.ts'
import { answeredId, readFrame } from './read-frame.ts'
import { NOT_SENT, type ReadyConnection, type RevocationCode, type SentCall } from './ready-connection.ts'
import { opened, step } from './state.ts'

/** The part of a WebSocket that a connection needs; southbound implements it. */
export interface AgentSocket {
  write(frame: Buffer): void
  close(code: number, reason: string): void
}

export interface ConnectionOptions {
  readonly callTimeoutMs: number
  readonly maxPendingCalls: number
  /** The deadlines of all connections. */
  readonly deadlines: DeadlineQueue
}

export interface ConnectionListener {
  /** The device's proof holds. @returns whether it is the one that was enrolled, and no copy of it */
  confirm(connection: Connection, previous: string): Promise<Verdict<void>>
  verified(connection: ReadyConnection): void
  challengeFailed(): void
  ended(connection: ReadyConnection): void
  /** A frame came that answers no call and is no call that a rate limit let through. */
  uncounted(sizeBytes: number): void
  /** The agent said what servers it has. */
  listed(connection: ReadyConnection): void
  /**
   * This socket asks for a tool itself.
   * @param obstacle why it cannot run; it counts all the same
   * @returns cancels the call
   */
  execute(
    connection: ReadyConnection,
    call: ToolCall,
    settle: (outcome: CallOutcome) => void,
    obstacle: ErrorCode | undefined,
  ): () => void
}

/**
 * The thin shell around the state machine of `state.ts`: owns the socket, the timers and the calls
 * that wait, carries out effects, and decides nothing.
 */
export class Connection implements ReadyConnection, DueListener {
  readonly version: ProtocolVersion
  readonly ip: string
  readonly #device: ProofExchange | undefined
  readonly #socket: AgentSocket
  readonly #system: System
  readonly #listener: ConnectionListener
  readonly #log: SecurityLog
  readonly #options: ConnectionOptions
  /** Made for the first call: most connections are idle most of the time, and there are many. */
  #pendingCalls: PendingCalls | undefined
  #abandonedCalls: AbandonedCalls | undefined
  #ownCalls: OwnCalls | undefined
  #state: ConnectionState
  #wasVerified = false
  #slow = false
  #unexpectedResults = 0
  /** Whether the frame at hand is limited as a call, or answers one. */
  #isCounted = false
  #catalog: Catalog | undefined
  #catalogParts: CatalogParts | undefined
  #principal: Principal
  readonly #deadlines: Deadlines

  constructor(
    login: AgentContext,
    socket: AgentSocket,
    listener: ConnectionListener,
    system: System,
    log: SecurityLog,
    options: ConnectionOptions,
  ) {
    this.#principal = login.principal
    this.version = login.version
    this.ip = login.ip
    this.#socket = socket
    this.#listener = listener
    this.#system = system
    this.#log = log
    this.#options = options
    const { principal, challengeAttempts, device } = login
    this.#device = device
    this.#deadlines = new Deadlines(system, options.deadlines, principal.expiresAtMs, this)
    const [state, effects] = opened(generateChallenge(system), challengeAttempts, device?.begin())
    this.#state = state
    for (const effect of effects) this.#carryOut(effect)
  }

  get principal(): Principal {
    return this.#principal
  }

  get connectionId(): string | undefined {
    return this.#device?.connectionId
  }

  get catalog(): Catalog | undefined {
    return this.#catalog
  }

  onDue(due: Due): void {
    if (due === 'renew') this.#renew(undefined)
    else this.#take({ type: due })
  }

  /** Handles one received frame. */
  receive(frame: Buffer, isBinary: boolean): void {
    const event = readFrame(frame, isBinary, this.version)
    if (event.type === 'bad-message') this.#failAnswer(frame, event.code)
    this.#isCounted = false
    this.#take(event)
    if (!this.#isCounted) this.#listener.uncounted(frame.length)
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

  /** Closes a connection that has not answered its challenge and may no longer do so. */
  lockOut(): void {
    this.#take({ type: 'locked' })
  }

  revoke(code: RevocationCode = 'login_revoked'): void {
    this.#take({ type: 'denied', code })
  }

  drain(): void {
    this.#take({ type: 'drain' })
  }

  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    const pending = this.#pending()
    const isFull = pending.size >= this.#options.maxPendingCalls
    if (isFull || this.#slow) {
      settle(failed(new BridgeError(this.#slow ? 'agent_slow' : 'too_many_calls')))
      return NOT_SENT
    }
    const id = pending.add(settle)
    const frame = callFrame(id, call, this.version)
    if (frame instanceof BridgeError) {
      pending.settle(id, failed(frame))
      return NOT_SENT
    }
    this.#socket.write(frame)
    return { id, cancel: () => this.#cancel(id) }
  }

  #pending(): PendingCalls {
    this.#pendingCalls ??= new PendingCalls(this.#system, this.#options.callTimeoutMs, (id) =>
      this.#abandon(id),
    )
    return this.#pendingCalls
  }

  /** @returns whether such a call waited */
  #settle(id: string, outcome: CallOutcome): boolean {
    return this.#pendingCalls?.settle(id, outcome) ?? false
  }

  #cancel(id: string): void {
    // Asked at the end of every request, most of which have their answer: no error is made for them.
    if (!this.#pendingCalls?.has(id)) return
    this.#settle(id, failed(new BridgeError('call_cancelled')))
    this.#abandon(id)
  }

  /** [CALL.10] Cancels the call on the agent, whose answer may already be on its way. */
  #abandon(id: string): void {
    this.#abandonedCalls ??= new AbandonedCalls()
    this.#abandonedCalls.add(id)
    if (this.version === 'v2' && this.#state.state === 'ready') this.#send({ type: 'tool_cancel', id })
  }

  /** [SIZE.2] [CALL.9] The caller of an answer that was refused hears so at once, not at its deadline. */
  #failAnswer(frame: Buffer, refused: ErrorCode): void {
    if (this.#state.state !== 'ready') return
    const id = answeredId(frame)
    const code = refusedResult(frame, refused)
    if (id !== undefined && !this.#settle(id, failed(new BridgeError(code)))) this.#abandonedCalls?.take(id)
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
        this.#wasVerified = true
        if (this.#device === undefined) this.#deadlines.answered()
        else this.#deadlines.proved()
        return this.#listener.verified(this)
      case 'challenge-failed':
        return this.#listener.challengeFailed()
      case 'confirm':
        return this.#confirm(effect.previous)
      case 'countersign':
        return this.#countersign(effect.bytes)
      case 'reauthenticate':
        return this.#renew(effect.token)
      case 'renew':
        return this.#renew(undefined)
      case 'challenge-sent':
        return this.#deadlines.challenged()
      case 'renewed':
        return this.#renewed(effect)
      case 'log':
        return this.#record(effect.event)
      case 'catalog':
        return this.#takeCatalog(effect)
      case 'result':
        this.#isCounted =
          this.#settle(effect.result.id, outcomeOf(effect.result, this.version)) ||
          (this.#abandonedCalls?.take(effect.result.id) ?? false)
        if (!this.#isCounted) this.#recordUnexpected(effect.result.id)
        return
      case 'execute':
        return this.#execute(effect.call)
      default:
        return unreachable(effect)
    }
  }

  #takeCatalog(part: CatalogPart): void {
    const parts = this.#catalogParts ?? new CatalogParts()
    this.#catalogParts = part.more ? parts : undefined
    const catalog = parts.add(part)
    if (catalog === 'too-large') {
      const detail = `A catalog has at most ${limits.catalogBytes} bytes.`
      this.#take({ type: 'bad-message', code: 'message_too_large', detail, sizeBytes: part.sizeBytes })
    } else if (catalog !== 'incomplete') {
      this.#catalog = catalog
      this.#listener.listed(this)
    }
  }

  #execute({ id, serverName, toolName, rawArgs }: ToolExecuteFrame): void {
    this.#isCounted = true
    this.#ownCalls ??= new OwnCalls(this.version, this.#options.maxPendingCalls, (frame) => {
      if (this.#state.state === 'ready') this.#socket.write(frame)
    })
    this.#ownCalls.run(id, (settle, obstacle) => {
      const settled = (outcome: CallOutcome): void => {
        if (isRefusal(outcome)) this.#listener.uncounted(rawArgs.length)
        settle(outcome)
      }
      return this.#listener.execute(this, { serverName, toolName, rawArgs }, settled, obstacle)
    })
  }

  #record(event: SecurityEvent): void {
    this.#log.logSecurityEvent({ ...event, userId: this.principal.userId, ip: this.ip })
  }

  /** [CALL.10] Logs an unexpected answer; a flood of them increasingly rarely. */
  #recordUnexpected(requestId: string): void {
    const count = ++this.#unexpectedResults
    const isPowerOfTwo = (count & (count - 1)) === 0
    if (isPowerOfTwo) this.#record({ event: 'ws_unexpected_result', requestId })
  }

  #send(message: DownMessage): void {
    this.#socket.write(encode(message))
  }

  #confirm(previous: string): void {
    const confirmed = this.#listener.confirm(this, previous)
    this.#later(
      confirmed.then((verdict) =>
        verdict.allowed ? { type: 'confirmed' } : { type: 'denied', code: verdict.code },
      ),
      { type: 'denied', code: 'internal_error' },
    )
  }

  #countersign(bytes: Buffer): void {
    if (this.#device === undefined) return
    this.#send({ type: 'challenge_verified', proof: { signature: this.#device.sign(bytes) } })
  }

  /** [PROOF.10] [PROOF.11] Looks up what is to be proven next. @param token a fresh one that the agent sent */
  #renew(token: string | undefined): void {
    if (this.#device === undefined) return
    const challenge = generateChallenge(this.#system)
    const facts = this.#device.renewal(this.#principal, token)
    const refused = (code: ErrorCode): ConnectionEvent =>
      token === undefined ? { type: 'denied', code } : { type: 'token-refused', code }
    this.#later(
      facts.then((verdict) =>
        verdict.allowed ? { type: 'renew', challenge, ...verdict.value } : refused(verdict.code),
      ),
      token === undefined ? undefined : refused('internal_error'),
    )
  }

  #renewed({ expected, principal = this.#principal }: RenewalFacts): void {
    this.#device?.renewed(expected)
    this.#principal = principal
    this.#deadlines.setTokenEnd(principal.expiresAtMs)
    this.#deadlines.proved()
  }

  /**
   * Continues when a promise resolves.
   * @param failed event if it rejects; without it, the same is retried later
   */
  #later(answer: Promise<ConnectionEvent>, failed: ConnectionEvent | undefined): void {
    answer
      .catch(() => failed)
      .then((event) => {
        if (event === undefined) this.#deadlines.retry()
        else this.#take(event)
      })
      .catch(() => {
        this.#record({ event: 'ws_error', error: 'internal_error' })
        this.#socket.close(closeCodes.internalError, 'internal_error')
      })
  }

  #end(): void {
    this.#deadlines.stop()
    if (this.#wasVerified) this.#listener.ended(this)
    this.#pendingCalls?.failAll('outcome_unknown')
    this.#ownCalls?.cancelAll()
  }
}

/** Why a call has no result when the frame of its answer was refused. */
function refusedResult(frame: Buffer, refused: ErrorCode): ErrorCode {
  if (refused === 'message_too_large') return 'result_too_large'
  return isTooDeep(frame) ? 'result_too_deep' : 'result_invalid'
}
