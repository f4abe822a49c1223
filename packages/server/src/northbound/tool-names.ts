import { createHash } from 'node:crypto'
import { BridgeError, type CatalogServer, type CatalogTool } from '@bridgekeeper/protocol'
import type { Catalog } from '../router/router.ts'

/** A tool of one local server. */
export interface ToolAddress {
  readonly serverName: string
  readonly toolName: string
}

const SEPARATOR = '__'
const SAFE = /^[a-zA-Z0-9_-]{1,64}$/
const MAX_CHARS = 64
const HASH_CHARS = 10

/**
 * The name of a local server's tool on `/mcp`, within `^[a-zA-Z0-9_-]{1,64}$`, which every client
 * takes.
 *
 * [NAME.1] `server__tool` where that fits and reads back the same; [NAME.2] otherwise a legible name
 * that ends in a hash of both, found again through the catalog.
 */
export function exposedName(serverName: string, toolName: string): string {
  const plain = serverName + SEPARATOR + toolName
  const readsBack = !serverName.includes(SEPARATOR) && !serverName.endsWith('_') && serverName !== ''
  if (readsBack && SAFE.test(plain)) return plain
  const hash = createHash('sha256')
    .update(JSON.stringify([serverName, toolName]))
    .digest('hex')
  const legible = plain.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, MAX_CHARS - HASH_CHARS - 1)
  return `${legible}_${hash.slice(0, HASH_CHARS)}`
}

/** One tool as `/mcp` shows it. */
export interface ExposedTool extends ToolAddress {
  readonly name: string
  readonly tool: CatalogTool
}

/**
 * All tools of a user under their exposed names. [NAME.3] Where two would have one name, the first
 * keeps it; the other is reached through `/mcp/{server}`.
 */
export function exposedTools(catalog: Catalog): ReadonlyMap<string, ExposedTool> {
  const exposed = new Map<string, ExposedTool>()
  for (const server of catalog.values()) {
    for (const tool of toolsOf(server)) {
      const name = exposedName(server.name, tool.definition.name)
      if (exposed.has(name)) continue
      exposed.set(name, { name, serverName: server.name, toolName: tool.definition.name, tool })
    }
  }
  return exposed
}

export function toolsOf(server: CatalogServer): readonly CatalogTool[] {
  return server.state === 'ready' ? server.tools : []
}

/**
 * Which tool an exposed name means. A plain name is read as it is, so that tools of v1 agents, who
 * list none, are reached too.
 */
export function addressOf(name: string, catalog: Catalog): ToolAddress | BridgeError {
  const at = name.indexOf(SEPARATOR)
  const plain = { serverName: name.slice(0, at), toolName: name.slice(at + SEPARATOR.length) }
  if (at > 0 && catalog.has(plain.serverName)) return plain
  const listed = exposedTools(catalog).get(name)
  if (listed !== undefined) return listed
  return at > 0 && plain.toolName !== '' ? plain : new BridgeError('tool_name_invalid')
}
