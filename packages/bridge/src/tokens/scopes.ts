import { CONNECT_SCOPE, callScope, LIST_SCOPE, scopeName } from '../gates/call-authority.ts'

const CALL = /^tools:call:([^/*]+|\*)\/([^/*]+|\*)$/
/** RFC 6749 section 3.3: printable ASCII except space, quote and backslash. */
const SCOPE_TEXT = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Our scopes of a `scope` claim (RFC 9068 section 2.2.3), in the gate's spelling. Others, such as a
 * provider's `openid`, allow nothing here.
 */
export function readScopes(claim: string): readonly string[] {
  return claim
    .split(' ')
    .map(canonicalScope)
    .filter((scope) => scope !== undefined)
}

/**
 * `agent:connect`, `tools:list` or `tools:call:<server>/<tool>`. `*` stands for any whole server or tool;
 * names are percent-encoded in the gate's spelling.
 * @returns `undefined` for a scope that is not ours
 */
export function canonicalScope(text: string): string | undefined {
  if (text === CONNECT_SCOPE || text === LIST_SCOPE) return text
  const [, server, tool] = (SCOPE_TEXT.test(text) && CALL.exec(text)) || []
  if (server === undefined || tool === undefined) return undefined
  const serverName = decoded(server)
  const toolName = decoded(tool)
  if (serverName === undefined || toolName === undefined) return undefined
  if (server === '*' || tool === '*')
    return `tools:call:${starOr(server, serverName)}/${starOr(tool, toolName)}`
  return callScope(serverName, toolName)
}

function starOr(text: string, name: string): string {
  return text === '*' ? '*' : scopeName(name)
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
