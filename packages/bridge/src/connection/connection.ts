import {
  closeCodes,
  type DownMessage,
  encode,
  type OutgoingFrame,
  type PayloadStream,
  type ProtocolVersion,
  unreachable,
} from '@bridgekeeper/protocol'
import type { CallOutcome, ToolCall } from '../calls/outcome.ts'
import { generateChallenge } from '../gates/challenge.ts'
import type { Principal, SecurityLog, System } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import type { AgentContext, ProofExchange } from './agent-context.ts'
import type { AgentSocket, ConnectionListener, ConnectionOptions } from './connection-listener.ts'
import { DataFrames } from './data-frames.ts'
import type { DataLink } from './data-link.ts'
import { Deadlines, type Due, type DueListener } from './deadlines.ts'
import type { BadMessageEvent, ConnectionEvent, ConnectionState, Effect, RenewalFacts, Step } from './life.ts'
import { confirmationOf, renewalOf } from './proof-lookups.ts'
import { readFrame } from './read-frame.ts'
import type { RevocationCode, SentCall } from './ready-connection.ts'
import { opened, step } from './state.ts'

/**
 * Thin shell around the state machine of `state.ts`, which decides on authentication, renewal and closing: feeds
 * it events and carries out its effects. `DataFrames` handles everything that a verified agent sends.
 */
export class Connection implements DataLink, DueListener {
  readonly version: ProtocolVersion
  readonly ip: string
  readonly #device: ProofExchange | undefined
  readonly #socket: AgentSocket
  readonly #system: System
  readonly #listener: ConnectionListener
  readonly #log: SecurityLog
  readonly #dataFrames: DataFrames
  readonly #deadlines: Deadlines
  #state: ConnectionState
  #wasVerified = false
  #sinceMs = 0
  /** Whether the current frame answers a call, or is itself one that the rate limit counts. */
  #isCounted = false
  #principal: Principal

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
    const { principal, challengeAttempts, device } = login
    this.#device = device
    this.#dataFrames = new DataFrames(this, socket, listener, system, options)
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

  get machineName(): string | undefined {
    return this.#device?.deviceName
  }

  get sinceMs(): number {
    return this.#sinceMs
  }

  get isReady(): boolean {
    return this.#state.state === 'ready'
  }

  /** Whether the peer reads too slowly to get calls. */
  set slow(slow: boolean) {
    this.#dataFrames.isSlow = slow
  }

  get isSlow(): boolean {
    return this.#dataFrames.isSlow
  }

  onDue(due: Due): void {
    if (due === 'renew') this.#renew(undefined)
    else this.#handle({ type: due })
  }

  /** Handles one received frame. */
  receive(frame: Buffer, isBinary: boolean): void {
    // The state machine judges whatever is not data of a verified agent.
    if (isBinary && this.version === 'v2' && this.isReady) return this.#dataFrames.receiveChunk(frame)
    const event = readFrame(frame, isBinary, this.version)
    if (event.type === 'bad-message' && this.isReady) this.#dataFrames.receiveInvalid(frame, event)
    this.#isCounted = false
    this.#handle(event)
    if (!this.#isCounted) this.#listener.uncountedFrame(frame.length)
  }

  refuse(event: BadMessageEvent): void {
    this.#handle(event)
  }

  /** @param code 1006 when the peer just went away */
  socketClosed(code: number, reason: string): void {
    this.record({ event: 'ws_connection_closed', code, reason })
    this.#handle({ type: 'socket-closed' })
  }

  replace(): void {
    this.record({ event: 'ws_connection_replaced' })
    this.#handle({ type: 'replaced' })
  }

  /** Closes a connection whose challenge is open, and locked. */
  lockOut(): void {
    this.#handle({ type: 'locked' })
  }

  revoke(code: RevocationCode = 'login_revoked'): void {
    this.#handle({ type: 'denied', code })
  }

  drain(): void {
    this.#handle({ type: 'drain' })
  }

  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    return this.#dataFrames.call(call, settle)
  }

  send(frame: Buffer): void {
    if (this.isReady) this.#socket.write(frame)
  }

  sendLarge(frame: OutgoingFrame): void {
    if (this.isReady) this.#dataFrames.payloads.send(frame)
  }

  expect(id: string, sizeBytes: number, isLast: boolean): PayloadStream | undefined {
    return this.#dataFrames.payloads.expect(id, sizeBytes, isLast)
  }

  drop(id: string): void {
    this.#dataFrames.drop(id)
  }

  record(event: SecurityEvent): void {
    this.#log.logSecurityEvent({ ...event, userId: this.principal.userId, ip: this.ip })
  }

  #handle(event: ConnectionEvent): void {
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
        return this.#sendMessage(effect.message)
      case 'close':
        return this.#socket.close(effect.code, effect.reason)
      case 'verified':
        return this.#verified()
      case 'challenge-failed':
        return this.#listener.challengeFailed()
      case 'confirm':
        return this.#afterLookup(confirmationOf(this.#listener.confirm(this, effect.previous)))
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
        return this.record(effect.event)
      case 'catalog':
      case 'result':
      case 'execute':
      case 'exchange':
      case 'credit':
        this.#isCounted = this.#dataFrames.receive(effect)
        return
      default:
        return unreachable(effect)
    }
  }

  #sendMessage(message: DownMessage): void {
    this.#socket.write(encode(message))
  }

  #verified(): void {
    this.#wasVerified = true
    this.#sinceMs = this.#system.nowMs()
    if (this.#device === undefined) this.#deadlines.answered()
    else this.#deadlines.proved()
    this.#listener.verified(this)
  }

  #countersign(bytes: Buffer): void {
    if (this.#device === undefined) return
    this.#sendMessage({ type: 'challenge_verified', proof: { signature: this.#device.sign(bytes) } })
  }

  /** @param token a fresh one from the agent; without it, the renewal is due */
  #renew(token: string | undefined): void {
    if (this.#device === undefined) return
    const challenge = generateChallenge(this.#system)
    this.#afterLookup(renewalOf(this.#device, this.#principal, challenge, token))
  }

  #renewed({ expected, principal = this.#principal }: RenewalFacts): void {
    this.#device?.renewed(expected)
    this.#principal = principal
    this.#deadlines.setTokenEnd(principal.expiresAtMs)
    this.#deadlines.proved()
  }

  /** Handles the event of a lookup; without one, the renewal is retried later. */
  #afterLookup(lookup: Promise<ConnectionEvent | undefined>): void {
    lookup
      .then((event) => {
        if (event === undefined) this.#deadlines.retry()
        else this.#handle(event)
      })
      .catch(() => {
        this.record({ event: 'ws_error', error: 'internal_error' })
        this.#socket.close(closeCodes.internalError, 'internal_error')
      })
  }

  #end(): void {
    this.#deadlines.stop()
    if (this.#wasVerified) this.#listener.ended(this)
    this.#dataFrames.end()
  }
}
