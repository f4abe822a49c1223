import { createHash } from 'node:crypto'
import {
  BridgeError,
  type CatalogServer,
  type CatalogTool,
  strictDefinition,
  type ToolDefinition,
} from '@bridgekeeper/protocol'
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
 * Returns the name of a local server's tool on `/mcp`, within `^[a-zA-Z0-9_-]{1,64}$`, which every client
 * accepts.
 *
 * [NAME.1] `server__tool` if that fits and is unambiguous; [NAME.2] otherwise a legible name that ends in a
 * hash of both, resolved through the catalog.
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

/** A tool as listed at `/mcp`. */
export interface ExposedTool extends ToolAddress {
  readonly name: string
  readonly tool: CatalogTool
  /**
   * Repaired definition for strict clients; `undefined` if they would refuse the whole list because of it.
   */
  readonly strict: ToolDefinition | undefined
}

const exposedByServer = new WeakMap<CatalogServer, readonly ExposedTool[]>()

/** Memoized per catalog of an agent: each name may need a hash, and every call resolves one. */
function exposedBy(server: CatalogServer): readonly ExposedTool[] {
  const known = exposedByServer.get(server)
  if (known !== undefined) return known
  const exposed = toolsOf(server).map((tool) => {
    const address = { serverName: server.name, toolName: tool.definition.name }
    const strict = strictDefinition(tool.definition)?.definition
    return { ...address, name: exposedName(address.serverName, address.toolName), tool, strict }
  })
  exposedByServer.set(server, exposed)
  return exposed
}

/**
 * All tools of a user under their exposed names. [NAME.3] If a plain name equals another tool's hashed name,
 * the plain one keeps it; the other is reached through `/mcp/{server}`.
 */
export function exposedTools(catalog: Catalog): ReadonlyMap<string, ExposedTool> {
  const all = [...catalog.values()].flatMap(exposedBy)
  const isPlain = ({ name, serverName, toolName }: ExposedTool): boolean =>
    name === serverName + SEPARATOR + toolName
  const hashed = all.filter((tool) => !isPlain(tool))
  return new Map([...hashed, ...all.filter(isPlain)].map((tool) => [tool.name, tool]))
}

export function toolsOf(server: CatalogServer | undefined): readonly CatalogTool[] {
  return server?.state === 'ready' ? server.tools : []
}

/**
 * Resolves an exposed name to its tool. [NAME.4] A plain name that no catalog has is split literally, to
 * reach the tools of v1 agents, which send no catalog.
 */
export function addressOf(name: string, catalog: Catalog): ToolAddress | BridgeError {
  const plain = readPlain(name)
  if (plain !== undefined && isListed(plain, catalog)) return plain
  for (const server of catalog.values()) {
    const hashed = exposedBy(server).find((tool) => tool.name === name)
    if (hashed !== undefined) return hashed
  }
  return plain ?? new BridgeError('tool_name_invalid')
}

function readPlain(name: string): ToolAddress | undefined {
  const at = name.indexOf(SEPARATOR)
  const toolName = name.slice(at + SEPARATOR.length)
  return at > 0 && toolName !== '' ? { serverName: name.slice(0, at), toolName } : undefined
}

function isListed({ serverName, toolName }: ToolAddress, catalog: Catalog): boolean {
  return toolsOf(catalog.get(serverName)).some((tool) => tool.definition.name === toolName)
}
