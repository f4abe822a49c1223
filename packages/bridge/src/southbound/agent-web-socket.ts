import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { limits } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import type { AgentSocket } from '../connection/connection-listener.ts'
import { readerState, SLOW_BYTES } from '../gates/agent-socket.ts'
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

export interface AgentWebSocketParts {
  readonly listener: WebSocketListener
  /** The socket below the WebSocket. */
  readonly socket: Duplex
  readonly system: System
}

/**
 * An agent's WebSocket: writes frames, answers pings, and detects peers that read too slowly.
 *
 * Two measures keep the goals; bench/RESULTS.md has the figures of each:
 * - All frames of one turn of the event loop leave in one system call. With one for each frame, 32 calls at once cost
 *   2.0 times the CPU of the bare relay (goal 1.8) and reach half of its calls per second (goal 0.6).
 * - Listeners are unbound methods, which all agents share. With closures, an idle agent takes 1.5 times the memory of a bare
 *   WebSocket (goal 1.5) before anything else of it is counted.
 */
export class AgentWebSocket extends WebSocket implements AgentSocket {
  #parts: AgentWebSocketParts | undefined
  #isCorked = false
  #slowSinceMs: number | undefined

  /** Starts to listen. Called once, right after the handshake. */
  begin(parts: AgentWebSocketParts): void {
    this.#parts = parts
    listen(this, 'message', this.#onMessage)
    listen(this, 'ping', this.#onPing)
    listen(this, 'pong', this.#onPong)
    listen(this, 'error', this.#onError)
    listen(this, 'close', this.#onClose)
  }

  write(frame: Buffer): void {
    if (!this.#isOpen) return
    this.#corkUntilTurnEnds()
    this.send(frame, { binary: false })
    this.#offer()
  }

  writeChunk(frame: Buffer, sent: () => void): void {
    if (!this.#isOpen) return
    this.#corkUntilTurnEnds()
    this.send(frame, { binary: true }, sent)
    this.#offer()
  }

  #offer(): void {
    // Offers a lot of bytes to the network at once, so that a slow reader is noticed before more is added.
    if (this.bufferedAmount > SLOW_BYTES) this.#uncork()
  }

  /** Closes the socket at once. Frames of this turn, such as a close frame, are sent first. */
  override terminate(): void {
    this.#uncork()
    super.terminate()
  }

  /** Stops reading for a while. TCP then makes the peer wait. */
  pauseFor(pauseMs: number): void {
    if (this.isPaused || !this.#isOpen) return
    this.pause()
    this.#parts?.system.after(pauseMs, () => this.resume())
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#parts?.listener.received(data, isBinary)
  }

  /** [LIVE.2] A peer that does not read gets no pongs either. */
  #onPing(payload: Buffer): void {
    if (this.#isOpen && this.bufferedAmount <= SLOW_BYTES) this.pong(payload)
    this.#checkReader()
    this.#parts?.listener.pinged()
  }

  #onPong(): void {
    this.#parts?.listener.ponged()
  }

  #onError(error: Error): void {
    this.#parts?.listener.failed(error)
  }

  #onClose(code: number, reason: Buffer): void {
    this.#parts?.listener.closed(code, reason)
  }

  get #isOpen(): boolean {
    return this.readyState === WebSocket.OPEN
  }

  #corkUntilTurnEnds(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#parts?.socket.cork()
    setImmediate(() => this.#uncork())
  }

  #uncork(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#parts?.socket.uncork()
    this.#checkReader()
  }

  /** [LIVE.2] [LIVE.3] */
  #checkReader(): void {
    if (!this.#isOpen || this.#parts === undefined) return
    const { listener, system } = this.#parts
    const waitingBytes = this.bufferedAmount
    const sinceMs = this.#slowSinceMs
    const wasSlow = sinceMs !== undefined
    const slowMs = wasSlow ? system.monotonicMs() - sinceMs : 0
    switch (readerState(waitingBytes, slowMs, limits.sendBufferBytes)) {
      case 'reading':
        if (wasSlow) listener.readingAgain()
        this.#slowSinceMs = undefined
        return
      case 'slow':
        if (wasSlow) return
        this.#slowSinceMs = system.monotonicMs()
        listener.slow(waitingBytes)
        return this.#checkAgainLater()
      case 'stuck':
        listener.stuck(waitingBytes)
        return this.terminate()
    }
  }

  #checkAgainLater(): void {
    this.#parts?.system.after(CHECK_MS, () => {
      this.#checkReader()
      if (this.#slowSinceMs !== undefined && this.#isOpen) this.#checkAgainLater()
    })
  }
}

/** Adds a method of the emitter as it is: Node calls a listener with the emitter as `this`. */
function listen(emitter: EventEmitter, event: string, listener: (...values: never[]) => void): void {
  emitter.on(event, listener as (...values: unknown[]) => void)
}
