import {
  CALLER_SCOPES,
  isAmbiguous,
  isEmptyAt,
  type RawJson,
  type ScopeName,
  valueAt,
} from '@bridgekeeper/protocol'
import { allow, deny, type Verdict } from './verdict.ts'

/** Authority that a method of MCP needs, and whether it costs as much as a call. */
interface MethodRule {
  /** `tool`: the scope for its tool. `any`: each token. `all`: a token without limits, or with all scopes of callers. */
  readonly needs: ScopeName | 'tool' | 'any' | 'all'
  /** Whether the rate limit of calls counts it. */
  readonly isCounted: boolean
}

const FREE: MethodRule = { needs: 'any', isCounted: false }
const PROMPTS: MethodRule = { needs: 'prompts:read', isCounted: false }
const RESOURCES: MethodRule = { needs: 'resources:read', isCounted: false }
/** Methods that this bridge does not know may do anything. */
const UNKNOWN: MethodRule = { needs: 'all', isCounted: true }

/** Requests of both eras. [SCOPE.2] The bridge itself removes tools from `tools/list` that a token may not see. */
const rules: ReadonlyMap<string, MethodRule> = new Map(
  Object.entries({
    initialize: FREE,
    ping: FREE,
    'server/discover': FREE,
    'subscriptions/listen': FREE,
    'logging/setLevel': FREE,
    'tools/list': FREE,
    'tools/call': { needs: 'tool', isCounted: true },
    'tasks/get': FREE,
    'tasks/list': FREE,
    'tasks/result': FREE,
    'tasks/update': FREE,
    'tasks/cancel': FREE,
    'prompts/list': PROMPTS,
    'prompts/get': { ...PROMPTS, isCounted: true },
    'resources/list': RESOURCES,
    'resources/templates/list': RESOURCES,
    'resources/read': { ...RESOURCES, isCounted: true },
    'resources/subscribe': RESOURCES,
    'resources/unsubscribe': RESOURCES,
    // Clients complete at each key press, which would soon block all calls of their user.
    'completion/complete': { needs: 'completion:use', isCounted: false },
  } as const satisfies Record<string, MethodRule>),
)

/** The rule of a request's method; notes, streams and ends of sessions have none and are free. */
export function ruleOf(method: string | undefined): MethodRule {
  return method === undefined ? FREE : (rules.get(method) ?? UNKNOWN)
}

/**
 * The method whose rule decides on the authority of a request. [SCOPE.4] A subscription of the 2026 era to resources
 * needs what one of the 2025 era needs.
 * @param message the whole request
 */
export function judgedMethod(method: string | undefined, message: RawJson | undefined): string | undefined {
  if (method !== 'subscriptions/listen' || message === undefined) return method
  if (isAmbiguous(message, RESOURCES_IN_LISTEN)) return 'resources/subscribe'
  const uris = valueAt(message, RESOURCES_IN_LISTEN)
  return uris === undefined || isEmptyAt(uris, [0, uris.length]) ? method : 'resources/subscribe'
}

const RESOURCES_IN_LISTEN = ['params', 'notifications', 'resourceSubscriptions']

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
  /** The whole request. Of most methods, nothing in it matters. */
  readonly message?: RawJson
}

/** [SCOPE.4] The authority that a request needs by its method. Messages without a method need none beyond their session. */
export function exchangeAuthorityGate(
  scopes: Scopes,
  { serverName, method, name, message }: Asked,
): Verdict<void> {
  const { needs } = ruleOf(judgedMethod(method, message))
  if (needs === 'tool') return callAuthorityGate(scopes, serverName, name ?? '')
  if (scopes === undefined || needs === 'any') return allow(undefined)
  const needed = needs === 'all' ? CALLER_SCOPES : [needs]
  if (needed.every((scope) => scopes.includes(scope))) return allow(undefined)
  return deny('scope_insufficient', `Needed: ${needed.join(' ')}`)
}

/**
 * [SCOPE.5] Text of a caller's identity that is equal only for the same login with the same scopes. A token that may do
 * less has another one, so that it reads nothing that the other began.
 */
export function identityText({
  userId,
  sessionId,
  scopes,
}: {
  readonly userId: string
  readonly sessionId: string
  readonly scopes?: Scopes
}): string {
  const limits = scopes && [...new Set(scopes)].toSorted()
  return JSON.stringify(limits === undefined ? [userId, sessionId] : [userId, sessionId, limits])
}

/** Whether the scopes name this tool. */
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

/** [SCOPE.3] Requires the scope of an agent. */
export function connectAuthorityGate(scopes: Scopes): Verdict<void> {
  if (scopes === undefined || scopes.includes(CONNECT)) return allow(undefined)
  return deny('scope_insufficient', `Needed: ${CONNECT}`)
}
