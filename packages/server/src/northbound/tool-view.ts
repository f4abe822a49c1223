import { type BridgeError, isObject, type ToolDefinition } from '@bridgekeeper/protocol'
import manifest from '../../package.json' with { type: 'json' }
import { mayList } from '../gates/call-authority.ts'
import type { Caller } from '../ports.ts'
import type { Router } from '../router/router.ts'
import { addressOf, type ExposedTool, exposedTools, type ToolAddress, toolsOf } from './tool-names.ts'

/** Who the MCP server behind a path says it is. */
export interface ServerIdentity {
  readonly serverInfo: { readonly name: string; readonly version: string }
  readonly instructions?: string | undefined
}

/** What one MCP path shows of a user's local servers. */
export interface ToolView {
  identity(): ServerIdentity
  /** @throws BridgeError when no agent is there, or the path's server is not */
  list(): readonly ToolDefinition[]
  /** Which tool the name means, or why none. */
  address(toolName: string): ToolAddress | BridgeError
}

const bridgeIdentity: ServerIdentity = { serverInfo: { name: 'bridgekeeper', version: manifest.version } }

/** `/mcp`: all servers as one, names prefixed. */
export function allServersView(router: Router, { userId, scopes }: Caller): ToolView {
  return {
    identity: () => bridgeIdentity,
    list() {
      throwIf(router.obstacle(userId))
      return [...exposedTools(router.catalog(userId)).values()]
        .filter(({ serverName, toolName }) => mayList(scopes, serverName, toolName))
        .map(prefixed)
    },
    address: (toolName) => addressOf(toolName, router.catalog(userId)),
  }
}

/** `/mcp/{server}`: one server as it is. */
export function oneServerView(router: Router, { userId, scopes }: Caller, serverName: string): ToolView {
  const visible = (): readonly ToolDefinition[] =>
    toolsOf(router.catalog(userId).get(serverName))
      .map(({ definition }) => definition)
      .filter(({ name }) => mayList(scopes, serverName, name))
  return {
    identity() {
      const server = router.catalog(userId).get(serverName)
      const isVisible = scopes === undefined || visible().length > 0
      return server?.state === 'ready' && isVisible ? server : bridgeIdentity
    },
    list() {
      throwIf(router.obstacle(userId, serverName))
      return visible()
    },
    address: (toolName) => ({ serverName, toolName }),
  }
}

/** The definition under its exposed name; `_meta` tells where it comes from. */
function prefixed({ name, serverName, toolName, tool }: ExposedTool): ToolDefinition {
  const { _meta } = tool.definition
  const origin = { 'bridgekeeper/server': serverName, 'bridgekeeper/tool': toolName }
  return { ...tool.definition, name, _meta: { ...(isObject(_meta) && _meta), ...origin } }
}

function throwIf(error: BridgeError | undefined): void {
  if (error !== undefined) throw error
}
