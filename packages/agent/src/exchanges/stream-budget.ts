/** Something that keeps bytes until it has to forget them. */
export interface Keeper {
  forget(): void
}

/** Bounds the bytes that streams keep together. Those that were not written to for the longest time are dropped first. */
export class StreamBudget {
  readonly #maxBytes: number
  readonly #parent: StreamBudget | undefined
  readonly #bytes = new Map<Keeper, number>()
  #total = 0

  /** @param parent a budget that counts the same bytes, of more streams */
  constructor(maxBytes: number, parent?: StreamBudget) {
    this.#maxBytes = maxBytes
    this.#parent = parent
  }

  /** @param bytes that it keeps now */
  changed(keeper: Keeper, bytes: number): void {
    this.#total += bytes - (this.#bytes.get(keeper) ?? 0)
    this.#bytes.delete(keeper)
    if (bytes > 0) this.#bytes.set(keeper, bytes)
    this.#parent?.changed(keeper, bytes)
    for (const oldest of this.#bytes.keys()) {
      if (this.#total <= this.#maxBytes) break
      oldest.forget()
    }
  }
}
