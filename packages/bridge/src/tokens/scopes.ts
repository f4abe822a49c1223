import { readScope } from '@bridgekeeper/protocol'
import { scopeName } from '../gates/call-authority.ts'

const TARGET = /^([^/*]+|\*)\/([^/*]+|\*)$/
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
 * Reads a scope of a user's token, such as `tools:list` or `tools:call:<server>/<tool>`. `*` stands for any whole
 * server or tool; names are percent-encoded in the gate's spelling.
 * @returns `undefined` for any other scope
 */
export function canonicalScope(text: string): string | undefined {
  const scope = readScope(text)
  if (scope?.of !== 'agent' && scope?.of !== 'caller') return undefined
  if (scope.target === undefined) return scope.name
  const [, server, item] = (SCOPE_TEXT.test(scope.target) && TARGET.exec(scope.target)) || []
  const parts = [canonicalName(server), canonicalName(item)]
  return parts.includes(undefined) ? undefined : `${scope.name}:${parts.join('/')}`
}

function canonicalName(text: string | undefined): string | undefined {
  if (text === undefined || text === '*') return text
  try {
    return scopeName(decodeURIComponent(text))
  } catch {
    return undefined
  }
}
