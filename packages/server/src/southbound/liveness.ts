import type { WebSocket } from 'ws'
import { isUnresponsive, PING_EVERY_MS, type PingState, PONG_WITHIN_MS } from '../gates/liveness.ts'
import type { System } from '../ports.ts'

interface Watched extends PingState {
  readonly onGone: () => void
}

/** Pings every verified agent, all in one round, and cuts off those that do not answer. */
export class Liveness {
  readonly #system: System
  readonly #watched = new Map<WebSocket, Watched>()
  #cancelTimer: (() => void) | undefined

  constructor(system: System) {
    this.#system = system
  }

  /** @param onGone runs just before a peer that is gone is cut off */
  watch(webSocket: WebSocket, onGone: () => void): void {
    const watched: Watched = { unanswered: 0, onGone }
    this.#watched.set(webSocket, watched)
    const alive = (): void => {
      watched.unanswered = 0
    }
    webSocket.on('pong', alive)
    webSocket.on('message', alive)
    webSocket.on('close', () => this.#watched.delete(webSocket))
    this.#cancelTimer ??= this.#system.after(PING_EVERY_MS, () => this.#round())
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#watched.clear()
  }

  #round(): void {
    for (const [webSocket, watched] of this.#watched) {
      watched.unanswered++
      webSocket.ping()
    }
    this.#system.after(PONG_WITHIN_MS, () => this.#cutOff())
    this.#cancelTimer =
      this.#watched.size === 0 ? undefined : this.#system.after(PING_EVERY_MS, () => this.#round())
  }

  #cutOff(): void {
    for (const [webSocket, watched] of this.#watched) {
      if (!isUnresponsive(watched)) continue
      watched.onGone()
      webSocket.terminate()
    }
  }
}
