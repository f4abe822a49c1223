import {
  ChunkReceiver,
  ChunkSender,
  decodeChunk,
  encode,
  limits,
  type OutgoingFrame,
  type RawJson,
  readWhole,
} from '@bridgekeeper/protocol'
import type { HeldBytes } from '../held-bytes.ts'
import type { Socket } from './socket.ts'
import { WaitingFrames } from './waiting-frames.ts'

/** Payloads that wait to be sent in chunks. */
export const MAX_SENDING_BYTES = 128 * 1_048_576

/** The payloads of one connection that travel in chunks. */
export class Payloads {
  readonly #sender: ChunkSender
  readonly #receiver: ChunkReceiver
  readonly #held: HeldBytes
  readonly #waiting = new WaitingFrames()

  /** @param held memory for arguments that arrive */
  constructor(socket: Pick<Socket, 'send' | 'sendChunk'>, held: HeldBytes) {
    this.#held = held
    this.#sender = new ChunkSender({
      text: (frame, id) => socket.send(frame, this.#waiting.add(id, frame.length)),
      binary: (frame, sent) => socket.sendChunk(frame, sent),
    })
    this.#receiver = new ChunkReceiver((id, bytes) => socket.send(encode({ type: 'credit', id, bytes })))
  }

  /** Sends a frame. @returns `false` if its payload is too large, or too many wait already */
  send(frame: OutgoingFrame): boolean {
    const payloadBytes = frame.payload?.length ?? 0
    if (payloadBytes > limits.payloadBytes) return false
    if (this.#sender.heldBytes + payloadBytes > MAX_SENDING_BYTES) return false
    this.#sender.send(frame)
    return true
  }

  /** Whether an exchange sends more messages than the bridge reads. */
  isFlooding(id: string): boolean {
    return this.#waiting.exceeds(id)
  }

  /**
   * Receives an announced payload whole.
   * @param use gets it, unless it is cancelled before; call `release` once it is of no use any more
   * @returns `false` if there is no memory for it
   */
  receive(id: string, sizeBytes: number, use: (payload: RawJson, release: () => void) => void): boolean {
    if (!this.#held.take(sizeBytes)) return false
    const release = (): void => this.#held.give(sizeBytes)
    const stream = this.#receiver.expect(id, sizeBytes, true)
    if (stream === undefined) {
      release()
      return true
    }
    readWhole(stream, (payload) => {
      if (payload === undefined) release()
      else use(payload, release)
    })
    return true
  }

  /** Handles a binary frame. @returns whether it was a chunk to expect */
  takeChunk(frame: Buffer): boolean {
    const chunk = decodeChunk(frame)
    return chunk !== undefined && this.#receiver.take(chunk) !== 'excess'
  }

  /** @returns whether the bridge may grant that */
  credit(id: string, bytes: number): boolean {
    return this.#sender.credit(id, bytes) !== 'excess'
  }

  /** The bridge needs nothing more of this exchange or call. */
  drop(id: string): void {
    this.#sender.drop(id)
    this.#receiver.drop(id)
  }

  /** The connection has ended. */
  end(): void {
    this.#sender.dropAll()
    this.#receiver.dropAll()
  }
}
