import { CONNECT_SCOPE, callScope, LIST_SCOPE, scopeName } from '../gates/call-authority.ts'

const CALL = /^tools:call:([^/*]+|\*)\/([^/*]+|\*)$/
/** RFC 6749 section 3.3: printable ASCII but space, quote and backslash. */
const SCOPE_TEXT = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * The scopes of a claim `scope` (RFC 9068 section 2.2.3) that are ours, as the gate compares them. What is
 * not, such as a provider's `openid`, allows nothing here.
 */
export function readScopes(claim: string): readonly string[] {
  return claim
    .split(' ')
    .map(canonicalScope)
    .filter((scope) => scope !== undefined)
}

/**
 * `agent:connect`, `tools:list` or `tools:call:<server>/<tool>`, where `*` stands for any whole server or
 * any whole tool and other names are percent-encoded, in the one way that the gate knows.
 * @returns `undefined` for what is no scope of ours
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
