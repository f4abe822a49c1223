import { type CatalogServer, encode } from '@bridgekeeper/protocol'

/**
 * Small enough to keep a part within the limit of keys per message; a larger definition gets its own part.
 */
const PART_BYTES = 262_144

/** The frames that report all local servers: parts of one catalog, each small enough for a message. */
export function catalogFrames(servers: readonly CatalogServer[]): readonly Buffer[] {
  const parts = new Parts()
  for (const server of servers) {
    if (server.state !== 'ready') {
      parts.add(server)
      continue
    }
    parts.add({ ...server, tools: [] })
    for (const tool of server.tools) parts.addTool(server.name, tool)
  }
  const all = parts.all()
  return all.map((part, at) =>
    encode({ type: 'catalog', servers: [...part], ...(at < all.length - 1 && { more: true }) }),
  )
}

type Ready = Extract<CatalogServer, { state: 'ready' }>

class Parts {
  readonly #parts: CatalogServer[][] = [[]]
  #sizeBytes = 0

  add(server: CatalogServer): void {
    this.#makeRoom(server)
    this.#last.push(server)
  }

  addTool(name: string, tool: Ready['tools'][number]): void {
    this.#makeRoom(tool)
    const server = this.#last.at(-1)
    if (server?.state === 'ready' && server.name === name) server.tools.push(tool)
    else this.#last.push({ state: 'ready', name, serverInfo: { name: '', version: '' }, tools: [tool] })
  }

  all(): readonly (readonly CatalogServer[])[] {
    return this.#parts
  }

  get #last(): CatalogServer[] {
    return this.#parts.at(-1) ?? []
  }

  #makeRoom(value: unknown): void {
    const sizeBytes = Buffer.byteLength(JSON.stringify(value))
    this.#sizeBytes += sizeBytes
    if (this.#sizeBytes <= PART_BYTES || this.#last.length === 0) return
    this.#parts.push([])
    this.#sizeBytes = sizeBytes
  }
}
