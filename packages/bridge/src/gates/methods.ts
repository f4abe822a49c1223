import type { ScopeName } from '@bridgekeeper/protocol'

/** Authority that a method of MCP needs, and whether it costs as much as a call. */
export interface MethodRule {
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
