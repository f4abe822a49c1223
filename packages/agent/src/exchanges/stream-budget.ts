/** Something that keeps bytes until it has to forget them. */
export interface Keeper {
  forget(): void
}

/** The bytes that the streams of one client keep. */
interface Share {
  bytes: number
  /** Bytes of each, the one that was not written to for the longest time first. */
  readonly keepers: Map<Keeper, number>
}

/** Bounds the bytes that streams keep together. The client with most loses the stream that was not written to for longest. */
export class StreamBudget {
  readonly #maxBytes: number
  readonly #client: string
  readonly #parent: StreamBudget | undefined
  readonly #shares = new Map<string, Share>()
  #total = 0

  /**
   * @param client that has the streams
   * @param parent a budget that counts the same bytes, of more clients
   */
  constructor(maxBytes: number, client = '', parent?: StreamBudget) {
    this.#maxBytes = maxBytes
    this.#client = client
    this.#parent = parent
  }

  /** @param bytes that it keeps now */
  changed(keeper: Keeper, bytes: number, client = this.#client): void {
    this.#count(keeper, bytes, client)
    this.#parent?.changed(keeper, bytes, client)
    while (this.#total > this.#maxBytes) this.#oldest()?.forget()
  }

  #count(keeper: Keeper, bytes: number, client: string): void {
    const share = this.#shares.get(client) ?? { bytes: 0, keepers: new Map() }
    const more = bytes - (share.keepers.get(keeper) ?? 0)
    this.#total += more
    share.bytes += more
    share.keepers.delete(keeper)
    if (bytes > 0) share.keepers.set(keeper, bytes)
    if (share.keepers.size > 0) this.#shares.set(client, share)
    else this.#shares.delete(client)
  }

  #oldest(): Keeper | undefined {
    let largest: Share | undefined
    for (const share of this.#shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share
    return largest?.keepers.keys().next().value
  }
}
