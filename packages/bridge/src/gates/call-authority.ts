import { CALLER_SCOPES, type ScopeName } from '@bridgekeeper/protocol'
import { ruleOf } from './methods.ts'
import { allow, deny, type Verdict } from './verdict.ts'

/** Scopes of a token; `undefined` means no limit. */
export type Scopes = readonly string[] | undefined

const LIST: ScopeName = 'tools:list'
const CALL: ScopeName = 'tools:call'
const CONNECT: ScopeName = 'agent:connect'

/** The scope for this one tool. */
export function callScope(serverName: string, toolName: string): string {
  return `${CALL}:${scopeName(serverName)}/${scopeName(toolName)}`
}

/** Percent-encodes a name within a scope, so that it cannot be read as two names or as `*`. */
export function scopeName(name: string): string {
  const encoded = name.isWellFormed() ? encodeURIComponent(name) : [...name].map(encodeAny).join('')
  return encoded.replaceAll('*', '%2A')
}

/** A lone surrogate, which JSON may hold, has no percent-encoding. */
function encodeAny(char: string): string {
  return char.isWellFormed() ? encodeURIComponent(char) : `%u${char.charCodeAt(0).toString(16).toUpperCase()}`
}

/**
 * Call authority: [SCOPE.1] a token with scopes runs only the tools that they name, [SCOPE.2] sees only those
 * in lists, [SCOPE.3] and connects as an agent only with `agent:connect`.
 *
 * Threat: a token made for one job is used, or stolen, for another.
 */
export function callAuthorityGate(scopes: Scopes, serverName: string, toolName: string): Verdict<void> {
  if (mayCall(scopes, serverName, toolName)) return allow(undefined)
  return deny('scope_insufficient', `Needed: ${callScope(serverName, toolName)}`)
}

/** Facts of an exchange that the gates judge. */
export interface Asked {
  readonly serverName: string
  /** JSON-RPC method of a request. */
  readonly method: string | undefined
  /** The name in the request, such as that of a tool. */
  readonly name: string | undefined
}

/** [SCOPE.4] The authority that a request needs by its method. Messages without a method need none beyond their session. */
export function exchangeAuthorityGate(scopes: Scopes, { serverName, method, name }: Asked): Verdict<void> {
  const { needs } = ruleOf(method)
  if (needs === 'tool') return callAuthorityGate(scopes, serverName, name ?? '')
  if (scopes === undefined || needs === 'any') return allow(undefined)
  const needed = needs === 'all' ? CALLER_SCOPES : [needs]
  if (needed.every((scope) => scopes.includes(scope))) return allow(undefined)
  return deny('scope_insufficient', `Needed: ${needed.join(' ')}`)
}

export function mayCall(scopes: Scopes, serverName: string, toolName: string): boolean {
  if (scopes === undefined) return true
  return (
    scopes.includes(callScope(serverName, toolName)) ||
    scopes.includes(`${CALL}:${scopeName(serverName)}/*`) ||
    scopes.includes(`${CALL}:*/${scopeName(toolName)}`) ||
    scopes.includes(`${CALL}:*/*`)
  )
}

/** Whether lists show this tool. */
export function mayList(scopes: Scopes, serverName: string, toolName: string): boolean {
  return scopes === undefined || scopes.includes(LIST) || mayCall(scopes, serverName, toolName)
}

/** [AGG.6] Whether the token may know of this local server. */
export function mayKnow(scopes: Scopes, serverName: string): boolean {
  if (scopes === undefined || scopes.includes(LIST)) return true
  const targets = [`${CALL}:${scopeName(serverName)}/`, `${CALL}:*/`]
  return scopes.some((scope) => targets.some((target) => scope.startsWith(target)))
}

export function connectAuthorityGate(scopes: Scopes): Verdict<void> {
  if (scopes === undefined || scopes.includes(CONNECT)) return allow(undefined)
  return deny('scope_insufficient', `Needed: ${CONNECT}`)
}
