/** Bytes of large payloads that the agent may hold at each step of their way: lines of servers, arguments of calls. */
export const MAX_HELD_BYTES = 128 * 1_048_576

/** A limited amount of memory that several users share. */
export class HeldBytes {
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number = MAX_HELD_BYTES) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @returns `false`, and takes nothing, if the total would exceed the maximum */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}
