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
  return plainName(serverName, toolName) ?? hashedName(serverName, toolName)
}

function plainName(serverName: string, toolName: string): string | undefined {
  const readsBack = !serverName.includes(SEPARATOR) && !serverName.endsWith('_')
  const name = serverName + SEPARATOR + toolName
  return readsBack && SAFE.test(name) ? name : undefined
}

function hashedName(serverName: string, toolName: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([serverName, toolName]))
    .digest('hex')
  const legible = (serverName + SEPARATOR + toolName)
    .replaceAll(/[^a-zA-Z0-9_-]/g, '_')
    .slice(0, MAX_CHARS - HASH_CHARS - 1)
  return `${legible}_${hash.slice(0, HASH_CHARS)}`
}

/** One tool as `/mcp` shows it. */
export interface ExposedTool extends ToolAddress {
  readonly name: string
  readonly tool: CatalogTool
}

/**
 * All tools of a user under their exposed names. [NAME.3] A tool whose plain name another tool's
 * hashed name happens to equal keeps it; the other is reached through `/mcp/{server}`.
 */
export function exposedTools(catalog: Catalog): ReadonlyMap<string, ExposedTool> {
  const plain = new Map<string, ExposedTool>()
  const hashed = new Map<string, ExposedTool>()
  for (const [serverName, server] of catalog) {
    for (const tool of toolsOf(server)) {
      const toolName = tool.definition.name
      const name = exposedName(serverName, toolName)
      const kind = plainName(serverName, toolName) === name ? plain : hashed
      kind.set(name, { name, serverName, toolName, tool })
    }
  }
  return new Map([...hashed, ...plain])
}

export function toolsOf(server: CatalogServer | undefined): readonly CatalogTool[] {
  return server?.state === 'ready' ? server.tools : []
}

/**
 * Which tool an exposed name means. [NAME.4] A plain name that no catalog explains is read as it
 * stands, so that the tools of v1 agents, who list none, are reached too.
 */
export function addressOf(name: string, catalog: Catalog): ToolAddress | BridgeError {
  const plain = readPlain(name)
  if (plain !== undefined && isListed(plain, catalog)) return plain
  return exposedTools(catalog).get(name) ?? plain ?? new BridgeError('tool_name_invalid')
}

function readPlain(name: string): ToolAddress | undefined {
  const at = name.indexOf(SEPARATOR)
  const toolName = name.slice(at + SEPARATOR.length)
  return at > 0 && toolName !== '' ? { serverName: name.slice(0, at), toolName } : undefined
}

function isListed({ serverName, toolName }: ToolAddress, catalog: Catalog): boolean {
  return toolsOf(catalog.get(serverName)).some((tool) => tool.definition.name === toolName)
}
