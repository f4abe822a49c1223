import { isUnresponsive, PING_EVERY_MS, type PingState, PONG_WITHIN_MS } from '../gates/agent-socket.ts'
import type { System } from '../ports.ts'

/** A peer that is pinged; its owner records each sign of life. */
export interface Pinged extends PingState {
  readonly isPinged: boolean
  ping(): void
  /** Handles a peer that is gone. */
  cutOff(): void
}

/** Pings every verified agent, all in one round, and cuts off those that do not answer. */
export class Liveness {
  readonly #system: System
  readonly #peers: ReadonlySet<Pinged>
  #cancelTimer: (() => void) | undefined
  #cancelCutOff: (() => void) | undefined

  /** @param peers all open peers */
  constructor(system: System, peers: ReadonlySet<Pinged>) {
    this.#system = system
    this.#peers = peers
  }

  /** Starts pinging. */
  begin(): void {
    this.#cancelTimer ??= this.#system.after(PING_EVERY_MS, () => this.#round())
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelCutOff?.()
    this.#cancelTimer = undefined
  }

  #round(): void {
    this.#cancelTimer = undefined
    for (const peer of this.#peers) {
      if (!peer.isPinged) continue
      peer.unanswered++
      peer.ping()
      this.begin()
    }
    this.#cancelCutOff = this.#system.after(PONG_WITHIN_MS, () => this.#cutOff())
  }

  #cutOff(): void {
    for (const peer of this.#peers) if (peer.isPinged && isUnresponsive(peer)) peer.cutOff()
  }
}
