import type { Duplex } from 'node:stream'
import { limits } from '@bridgekeeper/protocol'
import type { WebSocket } from 'ws'
import type { AgentSocket } from '../connection/connection.ts'
import { readerState } from '../gates/liveness.ts'
import type { System } from '../ports.ts'

/** How often a slow reader is looked at. */
const LOOK_MS = 250

/** What happens to a peer that does not read as fast as it is written to. */
export interface ReaderListener {
  slow(waitingBytes: number): void
  readingAgain(): void
  stuck(waitingBytes: number): void
}

/** Writes frames, as many as fall into one turn of the event loop at once, and minds slow readers. */
export class SocketWriter implements AgentSocket {
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #system: System
  readonly #listener: ReaderListener
  #corked = false
  #slowSinceMs: number | undefined

  constructor(webSocket: WebSocket, socket: Duplex, system: System, listener: ReaderListener) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#system = system
    this.#listener = listener
  }

  send(frame: Buffer, more = false): void {
    // Frames of one turn of the event loop leave in one write.
    if (more && !this.#corked) {
      this.#corked = true
      this.#socket.cork()
      setImmediate(uncork, this)
    }
    this.#webSocket.send(frame, { binary: false })
    this.#judge()
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason)
  }

  uncork(): void {
    this.#corked = false
    this.#socket.uncork()
  }

  /** [LIVE.2] [LIVE.3] */
  #judge(): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    const waitingBytes = this.#webSocket.bufferedAmount
    const nowMs = this.#system.monotonicMs()
    const wasSlow = this.#slowSinceMs !== undefined
    switch (readerState(waitingBytes, nowMs - (this.#slowSinceMs ?? nowMs), limits.sendBufferBytes)) {
      case 'reading':
        if (wasSlow) this.#listener.readingAgain()
        this.#slowSinceMs = undefined
        return
      case 'slow':
        if (wasSlow) return
        this.#slowSinceMs = nowMs
        this.#listener.slow(waitingBytes)
        return this.#lookAgain()
      case 'stuck':
        this.#listener.stuck(waitingBytes)
        return this.#webSocket.terminate()
    }
  }

  #lookAgain(): void {
    this.#system.after(LOOK_MS, () => {
      this.#judge()
      if (this.#slowSinceMs !== undefined && this.#webSocket.readyState === this.#webSocket.OPEN)
        this.#lookAgain()
    })
  }
}

/** One function for all: a connection that is idle should hold none of its own. */
function uncork(writer: SocketWriter): void {
  writer.uncork()
}
