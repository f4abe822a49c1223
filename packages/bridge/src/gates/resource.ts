import { AGENT_PATH, DEVICE_PATHS, isName } from '@bridgekeeper/protocol'
import { canonicalPath } from './canonical-path.ts'
import { allow, deny, type Verdict } from './verdict.ts'

const MCP = '/mcp'
/** Matches characters that every URL parser reads alike; no fragment (RFC 8707 section 2). */
const PLAIN_ADDRESS = /^[\x21\x22\x24-\x5b\x5d-\x7e]+$/

/** URL of the agents' protected resource (RFC 8707). */
export function agentResource(publicUrl: string): string {
  return publicUrl + AGENT_PATH
}

export function enrolmentResource(publicUrl: string): string {
  return publicUrl + DEVICE_PATHS.enrol
}

export function mcpResource(publicUrl: string): string {
  return publicUrl + MCP
}

/**
 * [OAUTH.5] Returns the canonical spelling of a resource that a client names: under the bridge's first name,
 * with a canonical path. Letter case of scheme and host, a default port, a query and a final slash make no
 * difference; the bridge's own address stands for its `/mcp`.
 *
 * @param names of the bridge, without a slash at the end
 * @returns `undefined` for an address outside of the bridge; other paths of the bridge are not checked here
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

/** Whether a resource is the canonical spelling of this bridge's `/mcp` or `/mcp/{server}`. */
export function isMcpResource(publicUrl: string, resource: string): boolean {
  if (resource === publicUrl + MCP) return true
  const prefix = `${publicUrl}${MCP}/`
  if (!resource.startsWith(prefix)) return false
  const encoded = resource.slice(prefix.length)
  const name = decoded(encoded)
  return name !== undefined && isName(name) && encodeURIComponent(name) === encoded
}

/**
 * [RS.4] A token for one resource works at that path only.
 *
 * Threat: a token for one local server is used for all, or a device's token is used as a caller's. Source:
 * RFC 8707 section 2, RFC 9068 section 4, MCP authorization ("token audience binding"). Does not check
 * whether the token is valid.
 *
 * @param resource of the token; `undefined` if it covers all
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
