import {
  cleanText,
  codes,
  type DownFrame,
  decodeDown,
  encode,
  isErrorCode,
  limits,
  type ProtocolVersion,
} from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import { DataFrames, type DataOptions } from './data-frames.ts'
import { EarlyFrames } from './early-frames.ts'
import type { Ending } from './ending.ts'
import type { Prover, Recognised } from './prover.ts'
import { dial, type Socket } from './socket.ts'
import { challengeResponse, type TokenClaims } from './token-claims.ts'
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

export interface ConnectionOptions extends DataOptions {
  readonly url: string
  readonly token: string
  readonly login: Login
  readonly wake: (reason: Wake) => void
}

/** Method to answer the challenge; a machine that is not enrolled uses the echo. */
export type Login =
  | { readonly by: 'echo'; readonly claims: TokenClaims }
  | { readonly by: 'proof'; readonly prover: Prover }

const DIAL_MS = 20_000
/** Statuses with which a bridge refuses a token. */
const TOKEN_REFUSALS: readonly number[] = [401, 403, 500]

/** A connection to the bridge, from dialling to its end. It keeps the facts; the link's loop decides. */
export class Connection {
  readonly version: ProtocolVersion
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #data: DataFrames
  #state: ConnectionState
  #heard = 0
  #ignoredFrames = 0
  /** The token that the bridge took last. */
  #token: string
  /** Frames received after the bridge proved itself, until that is stored. */
  #early: EarlyFrames | undefined

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
    this.#data = new DataFrames(this.#socket, options)
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
    if (!decoded.ok) this.#data.refuse(frame, decoded.detail)
  }

  #receiveChunk(frame: Buffer): void {
    if (this.#state.is === 'ended') return
    this.#heard++
    if (!this.#handleOrHold(frame, frame.length)) this.#ignoredFrames++
  }

  /** @returns whether the message was one to expect now */
  #handleOrHold(message: DownFrame | Buffer, frameBytes: number): boolean {
    if (this.#early === undefined || isChallenge(message)) return this.#handle(message)
    if (!this.#early.hold(message, frameBytes))
      this.drop('The bridge sends messages faster than the agent can process them.')
    return true
  }

  #handle(message: DownFrame | Buffer): boolean {
    if (Buffer.isBuffer(message)) return this.#data.handle(message)
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
      case 'credit':
        return this.#data.credit(message.id, message.bytes)
      case 'tool_result':
        return false
      case 'error':
        this.#options.onEvent({ type: 'bridge-error', code: cleanText(message.error) })
        this.#tokenRefused(message.error)
        return true
      default:
        return this.#data.handle(message)
    }
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
    const early = new EarlyFrames()
    this.#early = early
    Promise.resolve()
      .then(() => device.remember(connectionId))
      .then(() => {
        this.#early = undefined
        if (this.#state.is !== 'unverified') return
        this.#verified()
        for (const message of early.held) this.#handle(message)
      })
      .catch((error: unknown) => this.#fail(error))
  }

  #verified(): void {
    this.#data.begin()
    this.#advance({ is: 'verified', sinceMs: this.#options.system.monotonicMs() }, 'verified')
  }

  /** If the bridge refuses a token, the previous one stays in use. */
  #tokenRefused(code: string): void {
    const { login } = this.#options
    if (login.by !== 'proof' || !isErrorCode(code) || !TOKEN_REFUSALS.includes(codes[code].http)) return
    login.prover.token = this.#token
  }

  #fail(error: unknown): void {
    // The loop then closes the socket.
    if (error instanceof AgentError) this.#end({ next: 'give-up', code: error.code, error })
    else this.drop('This machine could not prove its key, or could not store the identity of the bridge.')
  }

  #advance(state: ConnectionState, wake: Wake): void {
    this.#state = state
    this.#options.wake(wake)
  }

  #end(ending: Ending): void {
    const state = this.#state
    if (state.is === 'ended') return
    this.#data.end()
    const verifiedForMs =
      state.is === 'verified' ? this.#options.system.monotonicMs() - state.sinceMs : undefined
    this.#advance({ is: 'ended', ending, verifiedForMs, ignoredFrames: this.#ignoredFrames }, 'ended')
  }
}

function isChallenge(message: DownFrame | Buffer): boolean {
  return !Buffer.isBuffer(message) && message.type === 'challenge'
}
