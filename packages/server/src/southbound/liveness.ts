import { isUnresponsive, PING_EVERY_MS, type PingState, PONG_WITHIN_MS } from '../gates/liveness.ts'
import type { System } from '../ports.ts'

/** A peer that is pinged. Whoever has it notes each sign of life. */
export interface Pinged extends PingState {
  ping(): void
  /** It is gone. */
  cutOff(): void
}

/** Pings every verified agent, all in one round, and cuts off those that do not answer. */
export class Liveness {
  readonly #system: System
  readonly #watched = new Set<Pinged>()
  #cancelTimer: (() => void) | undefined

  constructor(system: System) {
    this.#system = system
  }

  watch(peer: Pinged): void {
    peer.unanswered = 0
    this.#watched.add(peer)
    this.#cancelTimer ??= this.#system.after(PING_EVERY_MS, () => this.#round())
  }

  ended(peer: Pinged): void {
    this.#watched.delete(peer)
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#watched.clear()
  }

  #round(): void {
    for (const peer of this.#watched) {
      peer.unanswered++
      peer.ping()
    }
    this.#system.after(PONG_WITHIN_MS, () => this.#cutOff())
    this.#cancelTimer =
      this.#watched.size === 0 ? undefined : this.#system.after(PING_EVERY_MS, () => this.#round())
  }

  #cutOff(): void {
    for (const peer of this.#watched) if (isUnresponsive(peer)) peer.cutOff()
  }
}
