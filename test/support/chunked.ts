import { ChunkReceiver, ChunkSender, decodeChunk, type RawJson, readWhole } from '@bridgekeeper/protocol'
import type { Peer } from './peer.ts'

/** The part of an agent that sends and receives payloads in chunks. */
export class Chunked {
  /** Bytes of chunks that the network has taken. */
  sentBytes = 0
  readonly #peer: Peer
  readonly #sender: ChunkSender
  readonly #receiver: ChunkReceiver

  constructor(peer: Peer) {
    this.#peer = peer
    this.#sender = new ChunkSender({
      text: (frame) => peer.socket.send(frame, { binary: false }),
      binary: (frame, sent) =>
        peer.socket.send(frame, { binary: true }, () => {
          this.sentBytes += frame.length
          sent()
        }),
    })
    this.#receiver = new ChunkReceiver((id, bytes) => peer.send({ type: 'credit', id, bytes }))
    peer.socket.on('message', (data, isBinary) => {
      if (isBinary) this.#receive(data as Buffer)
      else this.#credit(JSON.parse(String(data)))
    })
  }

  /** Sends a frame whose payload follows in chunks. */
  send(
    frame: { readonly id: unknown; readonly type: string; readonly [member: string]: unknown },
    payload: Buffer,
  ): void {
    const head = Buffer.from(JSON.stringify({ ...frame, bytes: payload.length }))
    this.#sender.send({ id: String(frame.id), head, payload, isLast: frame.type !== 'message' })
  }

  /** Sends the last frame of an exchange, after its payloads. */
  sendLast(frame: { readonly id: unknown; readonly type: string; readonly [member: string]: unknown }): void {
    this.#sender.send({ id: String(frame.id), head: Buffer.from(JSON.stringify(frame)), isLast: true })
  }

  /** The payload of a frame that announced it, once it is there. */
  payload(frame: {
    readonly type: string
    readonly [member: string]: unknown
  }): Promise<RawJson | undefined> {
    const stream = this.#receiver.expect(String(frame.id), Number(frame.bytes), true)
    return new Promise((resolve) => stream && readWhole(stream, resolve))
  }

  #receive(data: Buffer): void {
    const chunk = decodeChunk(data)
    if (chunk === undefined) throw new Error('a malformed chunk')
    this.#receiver.take(chunk)
  }

  #credit({ type, id, bytes }: { type: string; id: string; bytes: number }): void {
    if (type === 'credit') this.#sender.credit(id, bytes)
    if (type === 'cancel' || type === 'tool_cancel') this.#sender.drop(id)
    if (this.#peer.socket.readyState > 1) this.#sender.dropAll()
  }
}

/** A JSON object of about this size in which no two chunks are the same. */
export function jsonOf(sizeBytes: number): Buffer {
  const numbers = Array.from({ length: sizeBytes / 16 }, (_, at) => String(at).padStart(15, '0'))
  return Buffer.from(`{"content":[],"x":"${numbers.join(' ')}"}`)
}
