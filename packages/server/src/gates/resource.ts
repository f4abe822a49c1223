import { isName } from '@bridgekeeper/protocol'
import { canonicalPath } from './canonical-path.ts'
import { allow, deny, type Verdict } from './verdict.ts'

const MCP = '/mcp'
const AGENTS = '/api/mcp-ws'
const ENROLMENT = '/api/devices'

/** The protected resources of a bridge (RFC 8707), by the address that clients reach it under. */
export function agentResource(publicUrl: string): string {
  return publicUrl + AGENTS
}

export function enrolmentResource(publicUrl: string): string {
  return publicUrl + ENROLMENT
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
