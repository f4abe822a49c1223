import type { Duplex } from 'node:stream'
import { limits } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import type { AgentSocket } from '../connection/connection.ts'
import { readerState, SLOW_BYTES } from '../gates/liveness.ts'
import type { System } from '../ports.ts'
import { writeTextFrame } from './text-frame.ts'

/** How often a slow reader is looked at. */
const LOOK_MS = 250

/** Who is told what happens to a WebSocket, and to a peer that does not read as fast as it is written to. */
export interface WebSocketListener {
  received(data: Buffer, isBinary: boolean): void
  pinged(): void
  ponged(): void
  failed(error: Error): void
  closed(code: number, reason: Buffer): void
  slow(waitingBytes: number): void
  readingAgain(): void
  stuck(waitingBytes: number): void
}

/**
 * An agent's WebSocket: writes frames, as many as fall into one turn of the event loop at once, and minds slow
 * readers. It tells its one listener by itself what happens to it: thousands may be idle, and a table of listeners
 * for each takes more than this class adds.
 */
export class AgentWebSocket extends WebSocket implements AgentSocket {
  #listener: WebSocketListener | undefined
  #socket: Duplex | undefined
  #system: System | undefined
  #corked = false
  #slowSinceMs: number | undefined

  /** Once, right after the handshake. @param socket the one below */
  begin(listener: WebSocketListener, socket: Duplex, system: System): void {
    this.#listener = listener
    this.#socket = socket
    this.#system = system
  }

  override emit(event: string | symbol, ...told: unknown[]): boolean {
    const listener = this.#listener
    if (listener === undefined) return super.emit(event, ...told)
    switch (event) {
      case 'message':
        listener.received(told[0] as Buffer, told[1] as boolean)
        return true
      case 'ping':
        this.#answerPing(told[0] as Buffer)
        listener.pinged()
        return true
      case 'pong':
        listener.ponged()
        return true
      case 'error':
        listener.failed(told[0] as Error)
        return true
      case 'close':
        listener.closed(told[0] as number, told[1] as Buffer)
        return true
      default:
        return super.emit(event, ...told)
    }
  }

  write(frame: Buffer, more = false): void {
    const socket = this.#socket
    if (socket === undefined || this.readyState !== WebSocket.OPEN) return
    // Frames of one turn of the event loop leave in one write.
    if (more && !this.#corked) {
      this.#corked = true
      socket.cork()
      setImmediate(AgentWebSocket.#uncork, this)
    }
    writeTextFrame(socket, frame)
    this.#judge()
  }

  /** Reads nothing for a while. The peer's own TCP makes it wait. */
  pauseFor(pauseMs: number): void {
    if (this.isPaused || this.readyState !== WebSocket.OPEN) return
    this.pause()
    this.#system?.after(pauseMs, () => this.resume())
  }

  /** [LIVE.2] Whoever does not read gets no answers to pings either. */
  #answerPing(payload: Buffer): void {
    if (this.readyState === WebSocket.OPEN && this.bufferedAmount <= SLOW_BYTES) this.pong(payload)
    this.#judge()
  }

  /** One function for all: a connection that is idle should hold none of its own. */
  static #uncork(webSocket: AgentWebSocket): void {
    webSocket.#corked = false
    webSocket.#socket?.uncork()
  }

  /** [LIVE.2] [LIVE.3] */
  #judge(): void {
    if (this.readyState !== WebSocket.OPEN || this.#system === undefined) return
    const waitingBytes = this.bufferedAmount
    const sinceMs = this.#slowSinceMs
    const wasSlow = sinceMs !== undefined
    const slowMs = wasSlow ? this.#system.monotonicMs() - sinceMs : 0
    switch (readerState(waitingBytes, slowMs, limits.sendBufferBytes)) {
      case 'reading':
        if (wasSlow) this.#listener?.readingAgain()
        this.#slowSinceMs = undefined
        return
      case 'slow':
        if (wasSlow) return
        this.#slowSinceMs = this.#system.monotonicMs()
        this.#listener?.slow(waitingBytes)
        return this.#lookAgain()
      case 'stuck':
        this.#listener?.stuck(waitingBytes)
        return this.terminate()
    }
  }

  #lookAgain(): void {
    this.#system?.after(LOOK_MS, () => {
      this.#judge()
      if (this.#slowSinceMs !== undefined && this.readyState === WebSocket.OPEN) this.#lookAgain()
    })
  }
}
