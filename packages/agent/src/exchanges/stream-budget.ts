import type { Stream } from './stream.ts'

/** Bounds the bytes that streams keep together. Those that were not written to for the longest time are dropped first. */
export class StreamBudget {
  readonly #maxBytes: number
  readonly #parent: StreamBudget | undefined
  readonly #bytes = new Map<Stream, number>()
  #total = 0

  /** @param parent a budget that counts the same bytes, of more streams */
  constructor(maxBytes: number, parent?: StreamBudget) {
    this.#maxBytes = maxBytes
    this.#parent = parent
  }

  /** @param bytes that the stream keeps now */
  changed(stream: Stream, bytes: number): void {
    this.#total += bytes - (this.#bytes.get(stream) ?? 0)
    this.#bytes.delete(stream)
    if (bytes > 0) this.#bytes.set(stream, bytes)
    this.#parent?.changed(stream, bytes)
    for (const oldest of this.#bytes.keys()) {
      if (this.#total <= this.#maxBytes) break
      oldest.forget()
    }
  }
}
