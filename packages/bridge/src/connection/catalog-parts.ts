import { type CatalogServer, limits } from '@bridgekeeper/protocol'

/** Local servers by name. */
export type Catalog = ReadonlyMap<string, CatalogServer>

export interface CatalogPart {
  readonly servers: readonly CatalogServer[]
  /** Another part follows. */
  readonly more: boolean
  readonly sizeBytes: number
}

/** The parts of one catalog, put together. The catalog before it counts until the last part is there. */
export class CatalogParts {
  readonly #servers = new Map<string, CatalogServer>()
  #sizeBytes = 0

  /** @returns the whole catalog after its last part, or `too-large` once, in place of any of it */
  add({ servers, more, sizeBytes }: CatalogPart): Catalog | 'incomplete' | 'too-large' {
    const wasTooLarge = this.#isTooLarge
    this.#sizeBytes += sizeBytes
    if (!this.#isTooLarge) for (const server of servers) this.#merge(server)
    if (this.#isTooLarge) this.#servers.clear()
    if (this.#isTooLarge) return wasTooLarge ? 'incomplete' : 'too-large'
    return more ? 'incomplete' : this.#servers
  }

  get #isTooLarge(): boolean {
    return this.#sizeBytes > limits.catalogBytes
  }

  #merge(server: CatalogServer): void {
    const earlier = this.#servers.get(server.name)
    const isContinued = earlier?.state === 'ready' && server.state === 'ready'
    const merged = isContinued ? { ...earlier, tools: [...earlier.tools, ...server.tools] } : server
    const isTooMany = merged.state === 'ready' && merged.tools.length > limits.toolsPerServer
    if (isTooMany || (earlier === undefined && this.#servers.size >= limits.serversPerAgent))
      this.#sizeBytes = Number.POSITIVE_INFINITY
    else this.#servers.set(server.name, merged)
  }
}
