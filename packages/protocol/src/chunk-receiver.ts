import type { Chunk } from './chunk-frame.ts'
import { limits } from './limits.ts'
import { PayloadStream } from './payload.ts'

/** Credit is granted in steps of this. */
const GRANT_BYTES = limits.windowBytes / 4

interface Incoming {
  /** The payload that is arriving; `undefined` between two of them. */
  stream: PayloadStream | undefined
  /** Whether no other payload follows. */
  isLast: boolean
  /** Bytes of it that are still to come. */
  leftBytes: number
  /** Bytes that the sender may still send. */
  creditBytes: number
  /** Used bytes for which no credit has been granted yet. */
  usedBytes: number
}

/** Puts the payloads of one connection together, each within the window of its exchange. */
export class ChunkReceiver {
  readonly #exchanges = new Map<string, Incoming>()
  readonly #grant: (id: string, bytes: number) => void

  /** @param grant sends credit */
  constructor(grant: (id: string, bytes: number) => void) {
    this.#grant = grant
  }

  /**
   * A frame has announced a payload.
   * @param isLast whether the exchange has no other payload in this direction
   * @returns `undefined` if the payload before it is not complete
   */
  expect(id: string, sizeBytes: number, isLast: boolean): PayloadStream | undefined {
    const incoming = this.#exchanges.get(id) ?? newIncoming()
    if (incoming.stream !== undefined) return undefined
    this.#exchanges.set(id, incoming)
    incoming.stream = new PayloadStream(sizeBytes, (bytes) => this.#used(id, incoming, bytes))
    incoming.leftBytes = sizeBytes
    incoming.isLast = isLast
    return incoming.stream
  }

  /**
   * Takes a chunk. A chunk of an unknown exchange is ignored: it may have been cancelled a moment ago.
   * @returns `excess` if it exceeds the payload or the window
   */
  take({ id, bytes }: Chunk): 'taken' | 'unknown' | 'excess' {
    const incoming = this.#exchanges.get(id)
    if (incoming === undefined) return 'unknown'
    const { stream } = incoming
    const sizeBytes = bytes.length
    if (stream === undefined || sizeBytes > incoming.leftBytes || sizeBytes > incoming.creditBytes)
      return 'excess'
    incoming.leftBytes -= sizeBytes
    incoming.creditBytes -= sizeBytes
    const isComplete = incoming.leftBytes === 0
    if (isComplete) incoming.stream = undefined
    if (isComplete && incoming.isLast) this.#exchanges.delete(id)
    stream.push(bytes)
    if (isComplete) stream.finish('ended')
    return 'taken'
  }

  /** The exchange is over. A payload that is incomplete is cut. */
  drop(id: string): void {
    const incoming = this.#exchanges.get(id)
    this.#exchanges.delete(id)
    incoming?.stream?.finish('cut')
  }

  /** The connection is over. */
  dropAll(): void {
    for (const id of [...this.#exchanges.keys()]) this.drop(id)
  }

  #used(id: string, incoming: Incoming, bytes: number): void {
    incoming.usedBytes += bytes
    if (incoming.usedBytes < GRANT_BYTES || this.#exchanges.get(id) !== incoming) return
    const granted = incoming.usedBytes
    incoming.usedBytes = 0
    incoming.creditBytes += granted
    this.#grant(id, granted)
  }
}

function newIncoming(): Incoming {
  return { stream: undefined, isLast: false, leftBytes: 0, creditBytes: limits.windowBytes, usedBytes: 0 }
}
