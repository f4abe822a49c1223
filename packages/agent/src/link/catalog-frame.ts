import { hash } from 'node:crypto'
import {
  type CatalogServer,
  type CatalogTool,
  encodeCatalog,
  type ReadyServer,
  serverBytes,
  serverText,
  toolText,
} from '@bridgekeeper/protocol'

/**
 * Small enough to keep a part within the limit of keys per message; a larger definition gets its own part.
 */
const PART_BYTES = 262_144
/** Info of a server in the parts after its first, which the bridge ignores. */
const NO_INFO = '{"name":"","version":""}'

/** Members of an update beside the servers that have changed. */
interface Update {
  readonly only: true
  readonly removed: readonly string[]
}

/** Tells one bridge the local servers, and later what has changed of them. */
export class CatalogReport {
  /** Hashes of the entries that the bridge has, by name. */
  #sent: ReadonlyMap<string, string> | undefined

  /** @returns the frames that the bridge lacks */
  frames(servers: readonly CatalogServer[]): readonly Buffer[] {
    const sent = this.#sent
    const now = new Map(servers.map((server) => [server.name, hash('sha256', serverText(server))]))
    this.#sent = now
    if (sent === undefined) return catalogFrames(servers)
    const changed = servers.filter(({ name }) => sent.get(name) !== now.get(name))
    const removed = [...sent.keys()].filter((name) => !now.has(name))
    if (changed.length === 0 && removed.length === 0) return []
    return catalogFrames(changed, { only: true, removed })
  }
}

/**
 * The frames that report local servers: parts of one catalog, each small enough for a message.
 * @param update for a catalog of which the bridge has the other servers
 */
export function catalogFrames(servers: readonly CatalogServer[], update?: Update): readonly Buffer[] {
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
    encodeCatalog({
      ...{ type: 'catalog', servers: part },
      ...(at < all.length - 1 && { more: true }),
      ...(update && { only: true, removed: at === 0 ? [...update.removed] : [] }),
    }),
  )
}

/** A server to which tools are added. */
type Growing = Exclude<CatalogServer, ReadyServer> | (ReadyServer & { readonly tools: CatalogTool[] })

class Parts {
  #last: Growing[] = []
  readonly #parts = [this.#last]
  #sizeBytes = 0

  add(server: Growing): void {
    this.#makeRoom(serverBytes(server))
    this.#last.push(server)
  }

  addTool(name: string, tool: CatalogTool): void {
    this.#makeRoom(Buffer.byteLength(toolText(tool)))
    const server = this.#last.at(-1)
    if (server?.state === 'ready') server.tools.push(tool)
    else this.#last.push({ state: 'ready', name, serverInfo: NO_INFO, tools: [tool] })
  }

  all(): readonly (readonly CatalogServer[])[] {
    return this.#parts
  }

  #makeRoom(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes
    if (this.#sizeBytes <= PART_BYTES || this.#last.length === 0) return
    this.#last = []
    this.#parts.push(this.#last)
    this.#sizeBytes = sizeBytes
  }
}
