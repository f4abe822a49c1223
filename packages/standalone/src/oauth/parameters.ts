import type { IncomingHttpHeaders } from 'node:http'
import { canonicalResource, canonicalScope, enrolmentResource, mcpResource } from '@bridgekeeper/bridge/parts'
import { CALLER_SCOPES, ENROL_SCOPE, isObject, LOGIN_SCOPES, parseJson } from '@bridgekeeper/protocol'
import { ROUTES } from './oidc-provider.ts'
import { isMcpScope } from './resources.ts'

const SPACES = /[\t\n\v\f\r ]+/
const OPENID = 'openid'
/** Parameters about the id token, which the library refuses without one. */
const OF_OPENID: readonly string[] = ['acr_values', 'id_token_hint', 'max_age', 'nonce']
/** Values of `prompt` that the library knows. */
const PROMPTS: readonly string[] = ['none', 'login', 'consent']
const BEARER = /^bearer(?: |$)/i
const BASIC = /^basic +(\S+) *$/i
const NO_SECRET = /^([^:&=]+):$/

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
  if (path === ROUTES.authorization) canonicalLogin(parameters)
}

/**
 * [OAUTH.29] Leaves out what asks for a kind of login that this server does not have, as it asks each time, and what
 * concerns an id token that was not requested.
 */
function canonicalLogin(parameters: URLSearchParams): void {
  const isOpenId = parameters.getAll('scope').some((scope) => scope.split(SPACES).includes(OPENID))
  if (!isOpenId) for (const name of OF_OPENID) parameters.delete(name)
  const [prompt, ...others] = parameters.getAll('prompt')
  if (prompt === undefined || others.length > 0) return
  const known = prompt.split(SPACES).filter((one) => PROMPTS.includes(one))
  setAll(parameters, 'prompt', known.length === 0 ? [] : [known.join(' ')])
}

/**
 * [OAUTH.29] Reads a public client that writes HTTP Basic with an empty secret as one that sends its `client_id`, and
 * ignores a bearer token, which is no authentication of a client. Source: RFC 6749 section 2.3.1.
 *
 * @param headers are changed @param parameters are changed
 */
export function canonicalClient(headers: IncomingHttpHeaders, parameters: URLSearchParams): void {
  const { authorization = '' } = headers
  const named = parameters.getAll('client_id')
  if (named.length > 0 && BEARER.test(authorization)) delete headers.authorization
  const [, encoded = ''] = BASIC.exec(authorization) ?? []
  const [, written] = NO_SECRET.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? []
  if (written === undefined) return
  const clientId = new URLSearchParams(`id=${written}`).get('id') ?? ''
  if (named.some((one) => one !== clientId)) return
  parameters.set('client_id', clientId)
  delete headers.authorization
}

/** [OAUTH.29] Reads parameters that a client wrote as JSON. @returns `undefined` if that is no list of texts by name */
export function parametersIn(json: string): URLSearchParams | undefined {
  const value = parseJson(json)?.value
  if (!isObject(value)) return undefined
  const parameters = new URLSearchParams()
  for (const [name, given] of Object.entries(value))
    for (const one of Array.isArray(given) ? given : [given]) {
      if (typeof one === 'object' && one !== null) return undefined
      if (one !== null) parameters.append(name, String(one))
    }
  return parameters
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
