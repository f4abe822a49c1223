import type { Duplex } from 'node:stream'
import { limits } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import type { AgentSocket } from '../connection/connection.ts'
import { readerState, SLOW_BYTES } from '../gates/liveness.ts'
import type { System } from '../ports.ts'

/** Interval at which a slow reader is checked. */
const CHECK_MS = 250

/** Receives socket events and back-pressure changes. */
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
 * An agent's WebSocket: writes frames, answers pings, and detects peers that read too slowly.
 *
 * All frames of one turn of the event loop leave in one system call. With a call for each frame, 32 calls at once cost
 * 2.0 times the CPU of the bare relay (goal 1.8) and reach half of its calls per second (goal 0.6): bench/RESULTS.md.
 */
export class AgentWebSocket implements AgentSocket {
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #listener: WebSocketListener
  readonly #system: System
  #isCorked = false
  #slowSinceMs: number | undefined

  /** @param socket the socket below the WebSocket */
  constructor(webSocket: WebSocket, socket: Duplex, listener: WebSocketListener, system: System) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#listener = listener
    this.#system = system
    webSocket.on('message', (data: Buffer, isBinary) => listener.received(data, isBinary))
    webSocket.on('ping', (payload) => this.#answerPing(payload))
    webSocket.on('pong', () => listener.ponged())
    webSocket.on('error', (error) => listener.failed(error))
    webSocket.on('close', (code, reason) => listener.closed(code, reason))
  }

  write(frame: Buffer): void {
    if (!this.#isOpen) return
    this.#corkUntilTurnEnds()
    this.#webSocket.send(frame, { binary: false })
  }

  ping(): void {
    if (this.#isOpen) this.#webSocket.ping()
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason)
  }

  /** Closes the socket without a closing handshake. */
  terminate(): void {
    this.#webSocket.terminate()
  }

  /** Stops reading for a while. TCP then makes the peer wait. */
  pauseFor(pauseMs: number): void {
    if (this.#webSocket.isPaused || !this.#isOpen) return
    this.#webSocket.pause()
    this.#system.after(pauseMs, () => this.#webSocket.resume())
  }

  #corkUntilTurnEnds(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#socket.cork()
    setImmediate(() => {
      this.#isCorked = false
      this.#socket.uncork()
      this.#checkReader()
    })
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN
  }

  /** [LIVE.2] A peer that does not read gets no pongs either. */
  #answerPing(payload: Buffer): void {
    if (this.#isOpen && this.#webSocket.bufferedAmount <= SLOW_BYTES) this.#webSocket.pong(payload)
    this.#checkReader()
    this.#listener.pinged()
  }

  /** [LIVE.2] [LIVE.3] */
  #checkReader(): void {
    if (!this.#isOpen) return
    const waitingBytes = this.#webSocket.bufferedAmount
    const sinceMs = this.#slowSinceMs
    const wasSlow = sinceMs !== undefined
    const slowMs = wasSlow ? this.#system.monotonicMs() - sinceMs : 0
    switch (readerState(waitingBytes, slowMs, limits.sendBufferBytes)) {
      case 'reading':
        if (wasSlow) this.#listener.readingAgain()
        this.#slowSinceMs = undefined
        return
      case 'slow':
        if (wasSlow) return
        this.#slowSinceMs = this.#system.monotonicMs()
        this.#listener.slow(waitingBytes)
        return this.#checkAgainLater()
      case 'stuck':
        this.#listener.stuck(waitingBytes)
        return this.terminate()
    }
  }

  #checkAgainLater(): void {
    this.#system.after(CHECK_MS, () => {
      this.#checkReader()
      if (this.#slowSinceMs !== undefined && this.#isOpen) this.#checkAgainLater()
    })
  }
}
