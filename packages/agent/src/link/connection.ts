import {
  cleanText,
  type DownFrame,
  decodeDown,
  encode,
  limits,
  type ProtocolVersion,
  unreachable,
} from '@bridgekeeper/protocol'
import type { LinkEvent } from '../events.ts'
import type { LocalTools } from '../outcome.ts'
import type { System } from '../system.ts'
import type { Ending } from './ending.ts'
import { challengeResponse, type Identity } from './identity.ts'
import { RunningCalls } from './running-calls.ts'
import { dial, type Socket } from './socket.ts'
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
  readonly identity: Identity
  readonly version: ProtocolVersion
  readonly system: System
  readonly tools: LocalTools
  readonly onEvent: (event: LinkEvent) => void
  readonly wake: (reason: Wake) => void
}

const DIAL_MS = 20_000
const MAX_QUEUED_BYTES = 64 * 1_048_576

/** One connection to the bridge, from dialling to its end: it keeps the facts, the loop decides. */
export class Connection {
  readonly version: ProtocolVersion
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #calls: RunningCalls
  #state: ConnectionState
  #heard = 0
  #ignoredFrames = 0

  constructor(options: ConnectionOptions) {
    const { url, token, version, system } = options
    this.version = version
    this.#options = options
    this.#state = { is: 'dialling', deadlineMs: system.monotonicMs() + DIAL_MS }
    this.#calls = new RunningCalls({ ...options, send: (frame) => this.send(frame) })
    this.#socket = dial(
      url,
      { token, version },
      {
        onOpen: () =>
          this.#advance(
            { is: 'unverified', deadlineMs: system.monotonicMs() + limits.challengeMs },
            'opened',
          ),
        onFrame: (frame) => this.#receive(frame),
        onEnd: (ending) => this.#end(ending),
      },
    )
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Frames received. */
  get heard(): number {
    return this.#heard
  }

  /** Queues a frame; a bridge that lets too much of what it asked for pile up is left. */
  send(frame: Buffer): void {
    this.#socket.send(frame)
    if (this.#socket.queuedBytes() > MAX_QUEUED_BYTES)
      this.drop('The bridge does not read what it asked for.')
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
    this.#heard++
    const decoded = decodeDown(frame, this.version)
    const handled = decoded.ok && this.#handle(decoded.message)
    if (!handled) this.#ignoredFrames++
    if (!decoded.ok && this.#state.is === 'verified') this.#refuse(frame, decoded.detail)
  }

  /** Whoever waits for a call that cannot be read would do so until its deadline. */
  #refuse(frame: Buffer, detail: string): void {
    const id = unreadableCallId(frame)
    if (id !== undefined) this.#calls.refuse(id, detail)
  }

  /** @returns whether the message was one to expect now */
  #handle(message: DownFrame): boolean {
    const verified = this.#state.is === 'verified'
    switch (message.type) {
      case 'challenge':
        this.send(
          encode({
            type: 'challenge_response',
            response: challengeResponse(message.challenge, this.#options.identity),
          }),
        )
        return true
      case 'challenge_verified':
        if (this.#state.is !== 'unverified') return false
        this.#advance({ is: 'verified', sinceMs: this.#options.system.monotonicMs() }, 'verified')
        return true
      case 'ping':
        this.send(encode({ type: 'pong' }))
        return true
      case 'pong':
        return true
      case 'tool_execute':
        if (verified) void this.#calls.run(message)
        return verified
      case 'tool_cancel':
        this.#calls.cancel(message.id)
        return verified
      case 'tool_result':
        return false
      case 'error':
        this.#options.onEvent({ type: 'bridge-error', code: cleanText(message.error) })
        return true
      default:
        return unreachable(message)
    }
  }

  #advance(state: ConnectionState, wake: Wake): void {
    this.#state = state
    this.#options.wake(wake)
  }

  #end(ending: Ending): void {
    const state = this.#state
    if (state.is === 'ended') return
    // The caller is told that the outcome is unknown; a call that nobody waits for only does harm.
    this.#calls.cancelAll()
    const verifiedForMs =
      state.is === 'verified' ? this.#options.system.monotonicMs() - state.sinceMs : undefined
    this.#advance({ is: 'ended', ending, verifiedForMs, ignoredFrames: this.#ignoredFrames }, 'ended')
  }
}
