import { encodeChunk } from './chunk-frame.ts'
import type { RawJson } from './json.ts'
import { limits } from './limits.ts'

/** Bytes of chunks that may wait for the network: few, so that a small frame beside them is not delayed. */
export const QUEUED_CHUNK_BYTES = 2 * limits.chunkBytes

/** The socket below. */
export interface ChunkSocket {
  /** Queues a text frame. @param id exchange or call that it belongs to */
  text(frame: Buffer, id: string): void
  /** Queues a binary frame. @param sent is called when the network has taken it, or has ended */
  binary(frame: Buffer, sent: () => void): void
}

/** A frame of an exchange or of a call. */
export interface OutgoingFrame {
  readonly id: string
  readonly head: Buffer
  /** Follows in chunks. */
  readonly payload?: RawJson | undefined
  /** Whether this end sends nothing more of the exchange. */
  readonly isLast: boolean
}

interface Outgoing {
  /** Frames that wait for the payload before them. */
  readonly queue: OutgoingFrame[]
  /** The payload that is being sent. */
  payload: RawJson | undefined
  sentBytes: number
  /** Bytes that the receiver can take. */
  creditBytes: number
  isLast: boolean
}

/**
 * Sends the payloads of one connection in chunks, in turn and within the window of each exchange. Frames of one
 * exchange keep their order.
 */
export class ChunkSender {
  readonly #socket: ChunkSocket
  /** In the order of their next turn. Ids of exchanges that only sent small frames are not kept. */
  readonly #exchanges = new Map<string, Outgoing>()
  #queuedBytes = 0
  #heldBytes = 0

  constructor(socket: ChunkSocket) {
    this.#socket = socket
  }

  /** Bytes of frames and payloads that are not sent yet. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Sends a frame after the earlier ones of its exchange. */
  send(frame: OutgoingFrame): void {
    const { id, head, payload } = frame
    const outgoing = this.#exchanges.get(id) ?? newOutgoing()
    if (payload === undefined && outgoing.payload === undefined) {
      if (frame.isLast) this.#exchanges.delete(id)
      return this.#socket.text(head, id)
    }
    this.#exchanges.set(id, outgoing)
    outgoing.queue.push(frame)
    this.#heldBytes += sizeOf(frame)
    this.#next(id, outgoing)
    this.#pump()
  }

  /**
   * The receiver has used bytes. Credit of an unknown exchange is ignored: all of it may have been sent.
   * @returns `excess` if it grants more than it can have received
   */
  credit(id: string, bytes: number): 'taken' | 'unknown' | 'excess' {
    const outgoing = this.#exchanges.get(id)
    if (outgoing === undefined) return 'unknown'
    if (outgoing.creditBytes + bytes > limits.windowBytes) return 'excess'
    outgoing.creditBytes += bytes
    this.#pump()
    return 'taken'
  }

  /** The exchange is over: what is left of it is not sent. */
  drop(id: string): void {
    const outgoing = this.#exchanges.get(id)
    if (outgoing === undefined) return
    this.#exchanges.delete(id)
    this.#heldBytes -= outgoing.payload?.length ?? 0
    for (const frame of outgoing.queue) this.#heldBytes -= sizeOf(frame)
  }

  /** The connection is over. */
  dropAll(): void {
    for (const id of [...this.#exchanges.keys()]) this.drop(id)
  }

  /** Sends waiting frames up to the next payload, which then takes its turns. */
  #next(id: string, outgoing: Outgoing): void {
    while (outgoing.payload === undefined) {
      const next = outgoing.queue.shift()
      if (next === undefined) break
      this.#heldBytes -= next.head.length
      outgoing.payload = next.payload
      outgoing.sentBytes = 0
      outgoing.isLast = next.isLast
      this.#socket.text(next.head, id)
    }
    if (outgoing.payload === undefined && outgoing.isLast) this.#exchanges.delete(id)
  }

  #pump(): void {
    while (this.#queuedBytes < QUEUED_CHUNK_BYTES) {
      const turn = this.#nextTurn()
      if (turn === undefined) return
      this.#sendChunk(...turn)
    }
  }

  #nextTurn(): [id: string, outgoing: Outgoing, payload: RawJson] | undefined {
    for (const [id, outgoing] of this.#exchanges) {
      const { payload, creditBytes } = outgoing
      if (payload !== undefined && creditBytes > 0) return [id, outgoing, payload]
    }
    return undefined
  }

  #sendChunk(id: string, outgoing: Outgoing, payload: RawJson): void {
    const start = outgoing.sentBytes
    const sizeBytes = Math.min(payload.length - start, limits.chunkBytes, outgoing.creditBytes)
    const frame = encodeChunk({ id, bytes: payload.subarray(start, start + sizeBytes) })
    outgoing.sentBytes += sizeBytes
    outgoing.creditBytes -= sizeBytes
    this.#exchanges.delete(id)
    this.#exchanges.set(id, outgoing)
    if (outgoing.sentBytes === payload.length) {
      outgoing.payload = undefined
      this.#heldBytes -= payload.length
    }
    this.#queuedBytes += frame.length
    this.#socket.binary(frame, () => {
      this.#queuedBytes -= frame.length
      this.#pump()
    })
    this.#next(id, outgoing)
  }
}

function newOutgoing(): Outgoing {
  return { queue: [], payload: undefined, sentBytes: 0, creditBytes: limits.windowBytes, isLast: false }
}

function sizeOf({ head, payload }: OutgoingFrame): number {
  return head.length + (payload?.length ?? 0)
}
