import { canonicalResource, canonicalScope, enrolmentResource, mcpResource } from '@bridgekeeper/bridge/parts'
import { CALLER_SCOPES, ENROL_SCOPE, LOGIN_SCOPES } from '@bridgekeeper/protocol'
import { ROUTES } from './oidc-provider.ts'
import { isMcpScope } from './resources.ts'

const SPACES = /[\t\n\v\f\r ]+/

/** Defaults that one endpoint applies to missing parameters. */
interface Rules {
  /** Scopes besides those for tools. */
  readonly scopes: readonly string[]
  /** Default if a client sends no known scope (RFC 6749 section 3.3). */
  readonly otherwise: readonly string[]
  /** Default if a client sends no resource; `undefined` if the grant determines it. */
  readonly resource?: (issuer: string) => string
}

const RULES: Readonly<Record<string, Rules>> = {
  [ROUTES.authorization]: {
    scopes: LOGIN_SCOPES,
    otherwise: CALLER_SCOPES,
    resource: mcpResource,
  },
  [ROUTES.device_authorization]: {
    scopes: [ENROL_SCOPE],
    otherwise: [ENROL_SCOPE],
    resource: enrolmentResource,
  },
  // Other granted scopes stay granted: a renewal does not reduce them.
  [ROUTES.token]: { scopes: [ENROL_SCOPE], otherwise: [] },
}

/** Whether requests for this path have parameters to rewrite. */
export function hasParameters(path: string): boolean {
  return Object.hasOwn(RULES, path)
}

/**
 * [OAUTH.5] [OAUTH.26] Rewrites variant spellings of clients: unknown or empty scopes, other separators than
 * a space, and the resource. Keeps a duplicate parameter, to be refused.
 *
 * @param path one with parameters
 * @param parameters are changed
 * @param names of the bridge, the issuer first
 */
export function canonicalParameters(
  path: string,
  parameters: URLSearchParams,
  names: readonly string[],
): void {
  const { scopes, otherwise, resource } = RULES[path] as Rules
  const [issuer = ''] = names
  const asked = parameters.getAll('scope')
  if (asked.length <= 1) setAll(parameters, 'scope', scopeOf(asked[0] ?? '', scopes, otherwise))
  const given = parameters.getAll('resource').filter((text) => text !== '')
  const named = given.length === 0 && resource !== undefined ? [resource(issuer)] : given
  setAll(parameters, 'resource', new Set(named.map((text) => canonicalResource(names, text) ?? text)))
}

function scopeOf(text: string, besides: readonly string[], otherwise: readonly string[]): string[] {
  const asked = text.split(SPACES).filter((scope) => isMcpScope(scope) || besides.includes(scope))
  const isEnough = asked.some((scope) => isMcpScope(scope) || otherwise.includes(scope))
  const scopes = [...asked, ...(isEnough ? [] : otherwise)].map((scope) => canonicalScope(scope) ?? scope)
  return scopes.length === 0 ? [] : [scopes.join(' ')]
}

function setAll(parameters: URLSearchParams, name: string, values: Iterable<string>): void {
  parameters.delete(name)
  for (const value of values) parameters.append(name, value)
}
