import { type CatalogServer, limits, serverBytes } from '@bridgekeeper/protocol'

/** Local servers by name. */
export type Catalog = ReadonlyMap<string, CatalogServer>

export interface CatalogPart {
  readonly servers: readonly CatalogServer[]
  /** Another part follows. */
  readonly more: boolean
  /** The other servers of the catalog have not changed. */
  readonly only: boolean
  /** Servers that are gone. */
  readonly removed: readonly string[]
  readonly sizeBytes: number
}

/** Bytes of servers that were part of an update's base. */
const sizes = new WeakMap<CatalogServer, number>()

/**
 * The parts of one catalog, or of an update of one, put together. The catalog before it counts until the last part is
 * there.
 */
export class CatalogParts {
  readonly #servers: Map<string, CatalogServer>
  /** Servers of the base that no part has replaced. */
  readonly #unchanged: Set<string>
  #sizeBytes = 0

  /** @param base the catalog that an update changes */
  constructor(base: Catalog = new Map()) {
    this.#servers = new Map(base)
    this.#unchanged = new Set(base.keys())
    for (const server of base.values()) this.#sizeBytes += sizeOf(server)
  }

  /** @returns the whole catalog after its last part, or `too-large` once, in place of any of it */
  add({ servers, more, removed, sizeBytes }: CatalogPart): Catalog | 'incomplete' | 'too-large' {
    const wasTooLarge = this.#isTooLarge
    for (const name of removed) this.#remove(name)
    for (const { name } of servers) this.#replace(name)
    this.#sizeBytes += sizeBytes
    for (const server of servers) this.#merge(server)
    if (this.#isTooLarge) this.#servers.clear()
    if (this.#isTooLarge) return wasTooLarge ? 'incomplete' : 'too-large'
    return more ? 'incomplete' : this.#servers
  }

  #remove(name: string): void {
    this.#replace(name)
    this.#servers.delete(name)
  }

  /** The next entry of a server of the base is a new one. It keeps its place. */
  #replace(name: string): void {
    const server = this.#servers.get(name)
    if (server === undefined || !this.#unchanged.delete(name)) return
    this.#sizeBytes -= sizeOf(server)
    this.#servers.set(name, { state: 'starting', name })
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

function sizeOf(server: CatalogServer): number {
  const known = sizes.get(server)
  if (known !== undefined) return known
  const sizeBytes = serverBytes(server)
  sizes.set(server, sizeBytes)
  return sizeBytes
}
