import {
  ChunkReceiver,
  ChunkSender,
  decodeChunk,
  encode,
  type OutgoingFrame,
  type PayloadStream,
} from '@bridgekeeper/protocol'
import type { AgentSocket } from './connection-listener.ts'

/** The payloads of one agent's connection that travel in chunks. */
export class AgentPayloads {
  readonly #sender: ChunkSender
  readonly #receiver: ChunkReceiver

  constructor(socket: AgentSocket) {
    this.#sender = new ChunkSender({
      text: (frame) => socket.write(frame),
      binary: (frame, sent) => socket.writeChunk(frame, sent),
    })
    this.#receiver = new ChunkReceiver((id, bytes) => socket.write(encode({ type: 'credit', id, bytes })))
  }

  /** Sends a frame whose payload follows in chunks. */
  send(frame: OutgoingFrame): void {
    this.#sender.send(frame)
  }

  /**
   * [BIG.4] Only an exchange or call that is open expects a payload.
   * @param isLast whether it has no other payload
   * @returns `undefined` if the payload before it is not complete
   */
  expect(id: string, sizeBytes: number, isLast: boolean): PayloadStream | undefined {
    return this.#receiver.expect(id, sizeBytes, isLast)
  }

  /** Takes a binary frame. @returns `malformed` if it is no chunk, `excess` if nobody may send it */
  take(frame: Buffer): 'taken' | 'unknown' | 'excess' | 'malformed' {
    const chunk = decodeChunk(frame)
    if (chunk === undefined) return 'malformed'
    const taken = this.#receiver.take(chunk)
    if (taken === 'excess') this.drop(chunk.id)
    return taken
  }

  /** The agent can take more. @returns `excess` if it cannot have that much room */
  credit(id: string, bytes: number): 'taken' | 'unknown' | 'excess' {
    return this.#sender.credit(id, bytes)
  }

  /** Nobody needs more of this exchange or call. */
  drop(id: string): void {
    this.#sender.drop(id)
    this.#receiver.drop(id)
  }

  end(): void {
    this.#sender.dropAll()
    this.#receiver.dropAll()
  }
}
