import { createHash } from 'node:crypto'
import { BridgeError, type CatalogServer, type CatalogTool } from '@bridgekeeper/protocol'
import type { Catalog } from '../directory/directory.ts'

/** A tool of one local server. */
export interface ToolAddress {
  readonly serverName: string
  readonly toolName: string
}

const SEPARATOR = '__'
const SAFE = /^[a-zA-Z0-9_-]+$/
const HASH_CHARS = 10
/** The end of a name with a hash. */
const HASHED = /_[0-9a-f]{10}$/
/** Server name of the bridge's own tools. */
const OWN_NAME = 'bridgekeeper'

/** Clients add a prefix of their own, and drop tools whose name then exceeds 60 or 64 characters. */
export const DEFAULT_NAME_CHARS = 48
/** The shortest name still has some text before its hash. */
export const NAME_CHARS_RANGE = { min: 24, max: 64 } as const

/** A tool as listed at `/mcp`. */
export interface ExposedTool extends ToolAddress {
  readonly name: string
  readonly tool: CatalogTool
}

/** Names of tools, prompts and other named things of local servers on `/mcp`. */
export class ExposedNames {
  readonly #maxChars: number
  readonly #byServer = new WeakMap<CatalogServer, readonly ExposedTool[]>()

  /** @param maxChars longest name @throws TypeError if it is out of range */
  constructor(maxChars: number = DEFAULT_NAME_CHARS) {
    const { min, max } = NAME_CHARS_RANGE
    if (!Number.isInteger(maxChars) || maxChars < min || maxChars > max)
      throw new TypeError(`nameChars must be a number from ${min} to ${max}, got ${maxChars}.`)
    this.#maxChars = maxChars
  }

  /**
   * Returns the name of a local server's tool or prompt, of letters, digits, `_` and `-`, which every client accepts.
   *
   * [NAME.1] `server__name` if that fits and is unambiguous; [NAME.2] otherwise a legible name that ends in a hash of
   * both, resolved through what the server lists.
   */
  of(serverName: string, name: string): string {
    return this.#plain(serverName, name) ?? this.#hashed(serverName, name)
  }

  #plain(serverName: string, name: string): string | undefined {
    const readsBack = !serverName.includes(SEPARATOR) && !serverName.endsWith('_') && serverName !== OWN_NAME
    const plain = serverName + SEPARATOR + name
    const isPlain = readsBack && plain.length <= this.#maxChars && SAFE.test(plain)
    return isPlain && !isHashed(plain) ? plain : undefined
  }

  #hashed(serverName: string, name: string): string {
    const hash = createHash('sha256')
      .update(JSON.stringify([serverName, name]))
      .digest('hex')
    const legible = (serverName + SEPARATOR + name)
      .replaceAll(/[^a-zA-Z0-9_-]/g, '_')
      .slice(0, this.#maxChars - HASH_CHARS - 1)
    return `${legible}_${hash.slice(0, HASH_CHARS)}`
  }

  /**
   * All tools of a user under their exposed names. [NAME.3] A plain name never looks like one with a hash, so that no
   * tool takes the name of another.
   */
  tools(catalog: Catalog): ReadonlyMap<string, ExposedTool> {
    const all = [...catalog.values()].flatMap((server) => this.#ofServer(server))
    return new Map(all.map((tool) => [tool.name, tool]))
  }

  /**
   * Resolves an exposed name to its tool. [NAME.4] A plain name that no catalog has is split literally, to
   * reach the tools of v1 agents, which send no catalog.
   */
  toolAt(name: string, catalog: Catalog): ToolAddress | BridgeError {
    for (const server of isHashed(name) ? catalog.values() : []) {
      const hashed = this.#ofServer(server).find((tool) => tool.name === name)
      if (hashed !== undefined) return hashed
    }
    return readPlain(name) ?? new BridgeError('tool_name_invalid')
  }

  /** Memoized per catalog of an agent: each name may need a hash, and every call resolves one. */
  #ofServer(server: CatalogServer): readonly ExposedTool[] {
    const known = this.#byServer.get(server)
    if (known !== undefined) return known
    const exposed = toolsOf(server).map((tool) => {
      const address = { serverName: server.name, toolName: tool.name }
      return { ...address, name: this.of(address.serverName, address.toolName), tool }
    })
    this.#byServer.set(server, exposed)
    return exposed
  }
}

/** The tools of a server; none unless it is ready. */
export function toolsOf(server: CatalogServer | undefined): readonly CatalogTool[] {
  return server?.state === 'ready' ? server.tools : []
}

/** Whether a name may end in a hash. */
export function isHashed(name: string): boolean {
  return HASHED.test(name)
}

/** Splits a plain name, `server__name`. */
export function readPlain(name: string): ToolAddress | undefined {
  const at = name.indexOf(SEPARATOR)
  const toolName = name.slice(at + SEPARATOR.length)
  return at > 0 && toolName !== '' ? { serverName: name.slice(0, at), toolName } : undefined
}
