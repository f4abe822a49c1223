import { isObject, LOOPBACK_NAMES } from '@bridgekeeper/protocol'
import { errors } from 'oidc-provider'

/** Metadata of a client as JSON has it. Source: RFC 7591 section 2. */
type Metadata = Readonly<Record<string, unknown>>

/** The grants that clients get. Never the device grant, which is for the agent alone. */
const GRANTS: readonly string[] = ['authorization_code', 'refresh_token']
const SECRET_METHODS: readonly string[] = ['client_secret_basic', 'client_secret_post']
export const ASSERTION_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const
/** A domain name of the app's maker in reverse, such as `com.example.app`. Source: RFC 8252 section 7.1. */
const APP_SCHEME = /^(?:[a-z]{2,63}|xn--[a-z0-9-]+)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+:$/
/** Characters that every reader of an address reads alike: ASCII without white space and backslash. */
const PLAIN_ADDRESS = /^[\x21-\x5b\x5d-\x7e]+$/
const PAGES = ['client_uri', 'logo_uri', 'policy_uri', 'tos_uri'] as const
const NO_REDIRECT =
  'redirect_uris must contain an address that is allowed: https, http to localhost, 127.0.0.1 or [::1], or an app scheme that is a domain name in reverse, such as com.example.app:/callback; without user name and fragment'

/**
 * [OAUTH.7] [OAUTH.25] Reduces what a client asks for to what this server gives. Leaves out everything else: unknown
 * members, empty and null values, other grants, response types and redirect addresses. Reducing twice changes nothing.
 * Source: RFC 7591 sections 2 and 3.2.1.
 *
 * @param secretMethods ways to authenticate with a secret that this client may use
 * @throws errors.InvalidRedirectUri if no redirect address is left, errors.InvalidClientMetadata if no grant is left
 */
export function reduceMetadata(asked: Metadata, secretMethods = SECRET_METHODS): Metadata {
  const method = authMethod(asked, secretMethods)
  const reduced = {
    ...redirects(asked),
    grant_types: grants(asked.grant_types),
    response_types: ['code'],
    token_endpoint_auth_method: method,
    client_name: text(asked.client_name),
    dpop_bound_access_tokens: asked.dpop_bound_access_tokens === true ? true : undefined,
    ...(method === 'private_key_jwt' && keys(asked)),
    ...Object.fromEntries(PAGES.map((name) => [name, page(asked[name])])),
  }
  return Object.fromEntries(Object.entries(reduced).filter(([, value]) => value !== undefined))
}

/** Reduces the body of a registration request. Leaves an invalid one unchanged, for the library to refuse. */
export function reduceRegistration(body: string): string {
  return reduceJson(body, (asked) => reduceMetadata(asked))
}

/**
 * [OAUTH.25] Reduces a client metadata document, which has a `client_id`. Leaves other texts, such as a key
 * set, unchanged. Anyone can read a document: its client gets no secret, and the library refuses one that
 * contains a secret.
 */
export function reduceDocument(body: string): string {
  return reduceJson(body, (asked) => {
    const { client_id, client_secret } = asked
    if (typeof client_id !== 'string' || (client_secret ?? '') !== '') return asked
    return { client_id, ...reduceMetadata(asked, []) }
  })
}

function reduceJson(body: string, reduce: (asked: Metadata) => Metadata): string {
  try {
    const asked: unknown = JSON.parse(body)
    return isObject(asked) ? JSON.stringify(reduce(asked)) : body
  } catch {
    return body
  }
}

/** Marks an app on the user's machine as native, so that it may choose its port (RFC 8252 section 7.3). */
function redirects({ redirect_uris: given, application_type: type }: Metadata): Metadata {
  const listed: unknown[] = Array.isArray(given) ? given : [given]
  const allowed = [...new Set(listed.filter(isAllowedRedirect))]
  const isNative = allowed.some((address) => new URL(address).protocol !== 'https:')
  // The library accepts https to the machine itself only from web apps.
  const kept = isNative ? allowed.filter((address) => !isLocalHttps(address)) : allowed
  if (kept.length === 0) throw noRedirect()
  const isApp = isNative || (type === 'native' && !kept.some(isLocalHttps))
  return { redirect_uris: kept, application_type: isApp ? 'native' : 'web' }
}

/** The library's text is about a request for access. */
function noRedirect(): Error {
  return Object.assign(new errors.InvalidRedirectUri(), { error_description: NO_REDIRECT })
}

function isAllowedRedirect(address: unknown): address is string {
  if (typeof address !== 'string' || !PLAIN_ADDRESS.test(address) || !URL.canParse(address)) return false
  const { protocol, hostname, hash, username, password } = new URL(address)
  if (hash !== '' || username + password !== '') return false
  if (protocol === 'https:') return true
  return protocol === 'http:' ? LOOPBACK_NAMES.includes(hostname) : APP_SCHEME.test(protocol)
}

function isLocalHttps(address: string): boolean {
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' && LOOPBACK_NAMES.includes(hostname)
}

/** Codes, and refresh tokens if requested. A client that requests neither is refused. */
function grants(asked: unknown): string[] {
  const listed: unknown[] = Array.isArray(asked) && asked.length > 0 ? asked : ['authorization_code']
  if (!listed.some((grant) => GRANTS.includes(String(grant))))
    throw new errors.InvalidClientMetadata(`grant_types must contain one of ${GRANTS.join(', ')}`)
  return GRANTS.filter((grant) => grant === 'authorization_code' || listed.includes(grant))
}

/** Replaces an unsupported method with a secret by a supported one; all other clients are public. */
function authMethod(
  { token_endpoint_auth_method: asked, jwks, jwks_uri }: Metadata,
  secretMethods: readonly string[],
): string {
  if (asked === 'private_key_jwt' && (isObject(jwks) || page(jwks_uri) !== undefined)) return asked
  if (typeof asked !== 'string' || !asked.startsWith('client_secret_')) return 'none'
  return secretMethods.find((method) => method === asked) ?? secretMethods[0] ?? 'none'
}

/** The keys with which a client signs its assertions. */
function keys({ jwks, jwks_uri, token_endpoint_auth_signing_alg: algorithm }: Metadata): Metadata {
  const isGiven = ASSERTION_ALGORITHMS.some((given) => given === algorithm)
  const where = isObject(jwks) ? { jwks } : { jwks_uri }
  return { ...where, token_endpoint_auth_signing_alg: isGiven ? algorithm : undefined }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function page(value: unknown): string | undefined {
  const isHttps = typeof value === 'string' && URL.canParse(value) && new URL(value).protocol === 'https:'
  return isHttps ? value : undefined
}
