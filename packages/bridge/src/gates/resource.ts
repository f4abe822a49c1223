import { isName } from '@bridgekeeper/protocol'
import { canonicalPath } from './canonical-path.ts'
import { allow, deny, type Verdict } from './verdict.ts'

const MCP = '/mcp'
const AGENTS = '/api/mcp-ws'
const ENROLMENT = '/api/devices'
/** Characters that every reader of an address reads alike; no fragment (RFC 8707 section 2). */
const PLAIN_ADDRESS = /^[\x21\x22\x24-\x5b\x5d-\x7e]+$/

/** The protected resources of a bridge (RFC 8707), by the address that clients reach it under. */
export function agentResource(publicUrl: string): string {
  return publicUrl + AGENTS
}

export function enrolmentResource(publicUrl: string): string {
  return publicUrl + ENROLMENT
}

export function mcpResource(publicUrl: string): string {
  return publicUrl + MCP
}

/**
 * [OAUTH.5] The canonical spelling of a resource that a client names: under the first name of the bridge, with a
 * canonical path. Upper case in scheme and host, a usual port, a query and a slash at the end make no other resource;
 * the bridge's own address stands for its `/mcp`.
 *
 * @param names of the bridge, without a slash at the end
 * @returns `undefined` for an address of something else; another path of the bridge is not judged here
 */
export function canonicalResource(names: readonly string[], asked: string): string | undefined {
  if (!PLAIN_ADDRESS.test(asked) || !URL.canParse(asked)) return undefined
  const { origin, pathname, username, password } = new URL(asked)
  if (username + password !== '') return undefined
  const [first = ''] = names
  for (const name of names) {
    const own = new URL(`${name}/`)
    if (own.origin !== origin || !`${pathname}/`.startsWith(own.pathname)) continue
    const path = canonicalPath(pathname.slice(own.pathname.length - 1) || '/')
    if (path !== undefined) return first + (path === '/' ? MCP : path)
  }
  return undefined
}

/** Whether this is exactly how we write `/mcp` or `/mcp/{server}` of this bridge. */
export function isMcpResource(publicUrl: string, resource: string): boolean {
  if (resource === publicUrl + MCP) return true
  const prefix = `${publicUrl}${MCP}/`
  if (!resource.startsWith(prefix)) return false
  const encoded = resource.slice(prefix.length)
  const name = decoded(encoded)
  return name !== undefined && isName(name) && encodeURIComponent(name) === encoded
}

/**
 * [RS.4] A token that was made for one resource is good at that path only.
 *
 * Threat: a token for one local server that is used for all of them, or a device's at the callers' door.
 * Source: RFC 8707 section 2, RFC 9068 section 4, MCP authorization ("token audience binding").
 * Not checked here: whether the token is valid.
 *
 * @param resource of the token; `undefined` where it is for every one
 * @param path as received, without query
 */
export function resourceGate(
  resource: string | undefined,
  path: string,
  publicUrls: readonly string[],
): Verdict<void> {
  if (resource === undefined) return allow(undefined)
  const canonical = canonicalPath(path)
  const isHere = canonical !== undefined && publicUrls.some((url) => url + canonical === resource)
  return isHere ? allow(undefined) : deny('token_invalid', 'It is for another resource.')
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
