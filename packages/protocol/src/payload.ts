import type { RawJson } from './json.ts'

/** A payload: whole, or still arriving. */
export type Payload = RawJson | PayloadStream

/** Receives a payload in order. */
export interface PayloadReader {
  chunk(bytes: RawJson): void
  /** All bytes were received. */
  end(): void
  /** Nothing follows, because the exchange or its connection ended. */
  cut(): void
}

/** A payload that arrives in chunks. Holds what comes before it is read, at most one window. */
export class PayloadStream {
  readonly sizeBytes: number
  /** Called for each chunk. */
  onChunk = (): void => {}
  readonly #use: (bytes: number) => void
  readonly #waiting: RawJson[] = []
  readonly #whenDone: (() => void)[] = []
  #state: 'open' | 'ended' | 'cut' = 'open'
  #reader: PayloadReader | undefined

  /** @param use receives how many bytes the reader has used, so that the sender may send as many */
  constructor(sizeBytes: number, use: (bytes: number) => void) {
    this.sizeBytes = sizeBytes
    this.#use = use
  }

  /** Starts reading. Chunks that are here already follow at once. May be called once. */
  read(reader: PayloadReader): void {
    this.#reader = reader
    for (const bytes of this.#waiting.splice(0)) reader.chunk(bytes)
    if (this.#state === 'ended') reader.end()
    if (this.#state === 'cut') reader.cut()
  }

  /** @param run called once, when all bytes are there or the payload was cut */
  whenDone(run: () => void): void {
    if (this.#state === 'open') this.#whenDone.push(run)
    else run()
  }

  /** The reader needs these bytes no longer. */
  used(bytes: number): void {
    this.#use(bytes)
  }

  /** For the receiver of chunks. */
  push(bytes: RawJson): void {
    this.onChunk()
    if (this.#reader === undefined) this.#waiting.push(bytes)
    else this.#reader.chunk(bytes)
  }

  /** For the receiver of chunks. */
  finish(state: 'ended' | 'cut'): void {
    if (this.#state !== 'open') return
    this.#state = state
    if (state === 'ended') this.#reader?.end()
    else this.#reader?.cut()
    for (const run of this.#whenDone) run()
  }
}

/** Reads a payload that nobody needs. */
export function discard(payload: Payload): void {
  if (!Buffer.isBuffer(payload))
    payload.read({ chunk: (bytes) => payload.used(bytes.length), end: () => {}, cut: () => {} })
}

/** Reads a payload whole. @param done receives it once, or `undefined` if it was cut */
export function readWhole(payload: Payload, done: (payload: RawJson | undefined) => void): void {
  if (Buffer.isBuffer(payload)) return done(payload)
  const whole = Buffer.allocUnsafe(payload.sizeBytes)
  let at = 0
  payload.read({
    chunk: (bytes) => {
      at += bytes.copy(whole, at)
      payload.used(bytes.length)
    },
    end: () => done(whole),
    cut: () => done(undefined),
  })
}

export function payloadBytes(payload: Payload): number {
  return Buffer.isBuffer(payload) ? payload.length : payload.sizeBytes
}
