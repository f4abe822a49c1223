import { limits, type ReadyServer, serverBytes } from '@bridgekeeper/protocol'

/** Reserve for frames, and for servers that are not ready, beside the counted entries. */
const SPARE_BYTES = 1_048_576
const MAX_BYTES = limits.catalogBytes - SPARE_BYTES
/** Limit of a server's info and instructions, which are sent in one message. */
const MAX_HEAD_BYTES = 262_144

/** Shares the size of an agent's catalog among its servers, in the order in which they become ready. */
export class CatalogBudget {
  readonly #sizes = new Map<string, number>()

  /** Replaces the reservation of the entry's server. @returns why there is no room for it */
  take(entry: ReadyServer): string | undefined {
    this.free(entry.name)
    const headBytes = serverBytes({ ...entry, tools: [] })
    if (headBytes > MAX_HEAD_BYTES) {
      return `It is not listed: its instructions and info take ${headBytes} bytes, over the limit of ${MAX_HEAD_BYTES}. Disable the server, or ask its authors to shorten them.`
    }
    const sizeBytes = serverBytes(entry)
    const takenBytes = [...this.#sizes.values()].reduce((sum, each) => sum + each, 0)
    if (takenBytes + sizeBytes > MAX_BYTES) {
      return `It is not listed: its tools take ${sizeBytes} bytes; with those of other servers that is over the limit of ${MAX_BYTES}. Disable a server, and start again.`
    }
    this.#sizes.set(entry.name, sizeBytes)
    return undefined
  }

  free(name: string): void {
    this.#sizes.delete(name)
  }
}
