import {
  cleanText,
  codes,
  type DownFrame,
  decodeDown,
  encode,
  isErrorCode,
  limits,
  type OpenFrame,
  type ProtocolVersion,
  type ToolExecuteFrame,
  unreachable,
} from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { LinkEvent } from '../events.ts'
import type { ExchangeFrame, Exchanges } from '../exchanges/exchanges.ts'
import type { HeldBytes } from '../held-bytes.ts'
import type { LocalTools } from '../local-tools.ts'
import type { System } from '../system.ts'
import type { Ending } from './ending.ts'
import { Payloads } from './payloads.ts'
import type { Prover, Recognised } from './prover.ts'
import { RunningCalls } from './running-calls.ts'
import { dial, type Socket } from './socket.ts'
import { challengeResponse, type TokenClaims } from './token-claims.ts'
import { unreadableCallId } from './unreadable-call.ts'
import type { Wake } from './wakes.ts'

export type ConnectionState =
  | { readonly is: 'dialling'; readonly deadlineMs: number }
  | { readonly is: 'unverified'; readonly deadlineMs: number }
  | { readonly is: 'verified'; readonly sinceMs: number }
  | {
      readonly is: 'ended'
      readonly ending: Ending
      readonly verifiedForMs: number | undefined
      /** Frames that were no messages, or came at the wrong time. */
      readonly ignoredFrames: number
    }

export interface ConnectionOptions {
  readonly url: string
  readonly token: string
  readonly login: Login
  readonly version: ProtocolVersion
  readonly system: System
  readonly tools: LocalTools
  readonly exchanges: Exchanges
  /** Memory for arguments that arrive. */
  readonly held: HeldBytes
  readonly onEvent: (event: LinkEvent) => void
  readonly wake: (reason: Wake) => void
}

/** Method to answer the challenge; a machine that is not enrolled uses the echo. */
export type Login =
  | { readonly by: 'echo'; readonly claims: TokenClaims }
  | { readonly by: 'proof'; readonly prover: Prover }

const DIAL_MS = 20_000
/** Frames of a verified bridge to hold while its identity is being stored. */
export const MAX_HELD = 1_024
export const MAX_HELD_BYTES = 16 * 1_048_576
/** Statuses with which a bridge refuses a token. */
const TOKEN_REFUSALS: readonly number[] = [401, 403, 500]

/** A connection to the bridge, from dialling to its end. It keeps the facts; the link's loop decides. */
export class Connection {
  readonly version: ProtocolVersion
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #payloads: Payloads
  readonly #calls: RunningCalls
  #state: ConnectionState
  #heard = 0
  #ignoredFrames = 0
  /** The token that the bridge took last. */
  #token: string
  /** Frames received after the bridge proved itself, until that is stored; a chunk is a buffer. */
  #held: (DownFrame | Buffer)[] | undefined
  #heldBytes = 0

  constructor(options: ConnectionOptions) {
    const { url, token, version, system } = options
    this.version = version
    this.#options = options
    this.#token = token
    this.#state = { is: 'dialling', deadlineMs: system.monotonicMs() + DIAL_MS }
    this.#socket = dial(
      url,
      { token, version },
      {
        onOpen: (exporter) => {
          if (options.login.by === 'proof') options.login.prover.exporter = exporter
          this.#advance({ is: 'unverified', deadlineMs: system.monotonicMs() + limits.challengeMs }, 'opened')
        },
        onFrame: (frame) => this.#receive(frame),
        onChunk: (frame) => this.#receiveChunk(frame),
        onEnd: (ending) => this.#end(ending),
      },
    )
    this.#payloads = new Payloads(this.#socket, options.held)
    this.#calls = new RunningCalls({ ...options, send: (frame) => this.#payloads.send(frame) })
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Frames received. */
  get heard(): number {
    return this.#heard
  }

  get token(): string {
    return this.#token
  }

  /** [LINK.31] Hands the bridge a fresh token; the challenge that follows binds it. */
  reauthenticate(token: string): void {
    const { login } = this.#options
    if (login.by !== 'proof') return
    login.prover.token = token
    this.send(encode({ type: 'reauthenticate', token }))
  }

  /** Queues a frame. */
  send(frame: Buffer): void {
    this.#socket.send(frame)
  }

  /** Says goodbye; the state becomes `ended` when the bridge has answered. */
  close(): void {
    this.#socket.close()
  }

  /** Ends it at once, for a reason that trying again may cure. */
  drop(reason: string): void {
    this.#end({ next: 'retry', reason })
    this.#socket.terminate()
  }

  #receive(frame: Buffer): void {
    if (this.#state.is === 'ended') return
    this.#heard++
    const decoded = decodeDown(frame, this.version)
    const handled = decoded.ok && this.#handleOrHold(decoded.message, frame.length)
    if (!handled) this.#ignoredFrames++
    if (!decoded.ok && this.#state.is === 'verified') this.#refuse(frame, decoded.detail)
  }

  #receiveChunk(frame: Buffer): void {
    if (this.#state.is === 'ended') return
    this.#heard++
    if (!this.#handleOrHold(frame, frame.length)) this.#ignoredFrames++
  }

  /** Answers a call that cannot be read, which would otherwise wait for its deadline. */
  #refuse(frame: Buffer, detail: string): void {
    const id = unreadableCallId(frame)
    if (id !== undefined) this.#calls.refuse(id, detail)
  }

  /** @returns whether the message was one to expect now */
  #handleOrHold(message: DownFrame | Buffer, frameBytes: number): boolean {
    const held = this.#held
    if (held === undefined || isChallenge(message)) return this.#handle(message)
    this.#heldBytes += frameBytes
    if (held.length >= MAX_HELD || this.#heldBytes > MAX_HELD_BYTES)
      this.drop('The bridge sends messages faster than the agent can process them.')
    else held.push(message)
    return true
  }

  #handle(message: DownFrame | Buffer): boolean {
    const verified = this.#state.is === 'verified'
    if (Buffer.isBuffer(message)) return verified && this.#payloads.takeChunk(message)
    switch (message.type) {
      case 'challenge':
        this.#answer(message)
        return true
      case 'challenge_verified':
        return this.#accepted(message.proof?.signature)
      case 'ping':
        this.send(encode({ type: 'pong' }))
        return true
      case 'pong':
        return true
      case 'tool_execute':
        if (verified) this.#run(message)
        return verified
      case 'tool_cancel':
        this.#payloads.drop(message.id)
        this.#calls.cancel(message.id)
        return verified
      case 'open':
        if (verified) this.#open(message)
        return verified
      case 'cancel':
      case 'detach':
      case 'done':
        this.#payloads.drop(message.id)
        return this.#pass(message)
      case 'revoke':
        return this.#pass(message)
      case 'credit':
        return this.#payloads.credit(message.id, message.bytes)
      case 'tool_result':
        return false
      case 'error':
        this.#options.onEvent({ type: 'bridge-error', code: cleanText(message.error) })
        this.#tokenRefused(message.error)
        return true
      default:
        return unreachable(message)
    }
  }

  /** Runs a call once its arguments are there. */
  #run({ bytes, ...call }: ToolExecuteFrame): void {
    if (bytes === undefined) return void this.#calls.run(call)
    const isRoom = this.#payloads.receive(call.id, bytes, (rawArgs, release) => {
      void this.#calls.run({ ...call, rawArgs }).then(release)
    })
    if (!isRoom) this.#calls.refuseLarge(call.id)
  }

  /** Passes a frame to the exchanges. @returns whether the bridge may send it now */
  #pass(frame: ExchangeFrame): boolean {
    const verified = this.#state.is === 'verified'
    if (verified) this.#options.exchanges.receive(frame)
    return verified
  }

  /** Opens an exchange once its message is there. */
  #open({ bytes, ...frame }: OpenFrame): void {
    const { exchanges } = this.#options
    if (bytes === undefined) return exchanges.receive(frame)
    const isRoom = this.#payloads.receive(frame.id, bytes, (message, release) => {
      exchanges.receive({ ...frame, message })
      release()
    })
    if (!isRoom) exchanges.refuse(frame.id, 'too_many_calls')
  }

  #answer(challenge: Extract<DownFrame, { type: 'challenge' }>): void {
    const { login } = this.#options
    if (login.by === 'proof') {
      Promise.resolve()
        .then(() => login.prover.answer(challenge))
        .then((frame) => this.send(frame))
        .catch((error: unknown) => this.#fail(error))
    } else if (challenge.proof === undefined) {
      const response = challengeResponse(challenge.challenge, login.claims)
      this.send(encode({ type: 'challenge_response', response }))
    } else this.#fail(new AgentError('proof_required'))
  }

  /** @returns whether that was to be expected now */
  #accepted(signature: string | undefined): boolean {
    const { login } = this.#options
    if (login.by === 'echo') {
      if (this.#state.is !== 'unverified') return false
      this.#verified()
      return true
    }
    try {
      const recognised = login.prover.recognise(signature)
      if (recognised === undefined) return false
      this.#token = recognised.token
      if (this.#state.is === 'unverified') this.#remember(recognised)
      else this.#options.wake('verified')
    } catch (error) {
      this.#fail(error)
    }
    return true
  }

  /** [LINK.30] Stores the connection as the last one before any request of the bridge runs. */
  #remember({ device, connectionId }: Recognised): void {
    const held: (DownFrame | Buffer)[] = []
    this.#held = held
    Promise.resolve()
      .then(() => device.remember(connectionId))
      .then(() => {
        this.#held = undefined
        if (this.#state.is !== 'unverified') return
        this.#verified()
        for (const message of held) this.#handle(message)
      })
      .catch((error: unknown) => this.#fail(error))
  }

  #verified(): void {
    this.#options.exchanges.connected(
      (frame) => this.#payloads.send(frame),
      (id) => this.#payloads.isFlooding(id),
    )
    this.#advance({ is: 'verified', sinceMs: this.#options.system.monotonicMs() }, 'verified')
  }

  /** If the bridge refuses a token, the previous one stays in use. */
  #tokenRefused(code: string): void {
    const { login } = this.#options
    if (login.by !== 'proof' || !isErrorCode(code) || !TOKEN_REFUSALS.includes(codes[code].http)) return
    login.prover.token = this.#token
  }

  #fail(error: unknown): void {
    if (error instanceof AgentError) {
      this.#end({ next: 'give-up', code: error.code, error })
      this.#socket.close()
    } else this.drop('This machine could not prove its key, or could not store the identity of the bridge.')
  }

  #advance(state: ConnectionState, wake: Wake): void {
    this.#state = state
    this.#options.wake(wake)
  }

  #end(ending: Ending): void {
    const state = this.#state
    if (state.is === 'ended') return
    // The callers already got `outcome_unknown`, so a running call can only do harm.
    this.#calls.cancelAll()
    this.#payloads.end()
    if (state.is === 'verified') this.#options.exchanges.disconnected()
    const verifiedForMs =
      state.is === 'verified' ? this.#options.system.monotonicMs() - state.sinceMs : undefined
    this.#advance({ is: 'ended', ending, verifiedForMs, ignoredFrames: this.#ignoredFrames }, 'ended')
  }
}

function isChallenge(message: DownFrame | Buffer): boolean {
  return !Buffer.isBuffer(message) && message.type === 'challenge'
}
