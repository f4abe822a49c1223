import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'
import { CONNECT_SCOPE } from '../gates/call-authority.ts'
import { enrolmentResource, isMcpResource } from '../gates/resource.ts'
import { ACCESS_TOKEN_MS, AGENT_CLIENT_ID, ENROL_SCOPE } from '../identity/access-tokens.ts'
import { canonicalScope } from '../identity/scopes.ts'
import { ACCESS_TOKEN_ALGORITHM } from '../identity/signing-key.ts'

/** Routes at which a client says for which resource it asks; at the others, what was granted counts. */
const FIRST_ROUTES: readonly string[] = ['authorization', 'device_authorization']
const ONE_AT_A_TIME = 'ask for one resource at a time'

/**
 * [OAUTH.5] The resource that a token is for: exactly one of ours, named by the client. Devices are enrolled by
 * agents alone, and agents do nothing else. Source: RFC 8707 section 2.
 *
 * @throws errors.InvalidTarget
 */
export function resourceServer(
  issuer: string,
  ctx: KoaContextWithOIDC,
  resource: string,
  clientId: string,
): ResourceServer {
  // The user sees one resource on the page: what they allow is that one.
  const asked: unknown = ctx.oidc.params?.resource
  if (Array.isArray(asked) && asked.length > 1) throw new errors.InvalidTarget(ONE_AT_A_TIME)
  const isEnrolment = resource === enrolmentResource(issuer)
  if (!isEnrolment && !isMcpResource(issuer, resource))
    throw new errors.InvalidTarget('that is no resource of this bridge')
  if (isEnrolment !== (clientId === AGENT_CLIENT_ID))
    throw new errors.InvalidTarget('this client gets no tokens for that resource')
  const isAllowed = isEnrolment ? isEnrolScope : isMcpScope
  return {
    audience: resource,
    scope: askedScopes(ctx).filter(isAllowed).join(' '),
    accessTokenTTL: ACCESS_TOKEN_MS / 1_000,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: ACCESS_TOKEN_ALGORITHM } },
  }
}

/** @throws errors.InvalidTarget where the client named none, or several */
export function defaultResource(ctx: KoaContextWithOIDC, oneOf: readonly string[] | undefined): string[] {
  if (oneOf !== undefined) throw new errors.InvalidTarget(ONE_AT_A_TIME)
  if (FIRST_ROUTES.includes(ctx.oidc.route))
    throw new errors.InvalidTarget(
      'say for which resource the token is to be: the parameter resource is missing',
    )
  return []
}

export function isMcpScope(scope: string): boolean {
  const canonical = canonicalScope(scope)
  return canonical !== undefined && canonical !== CONNECT_SCOPE
}

function isEnrolScope(scope: string): boolean {
  return scope === ENROL_SCOPE
}

/** Of this request and of what it continues; what was not granted is taken out by the grant. */
function askedScopes({ oidc }: KoaContextWithOIDC): string[] {
  const { RefreshToken, AuthorizationCode, DeviceCode } = oidc.entities
  const texts = [oidc.params?.scope, RefreshToken?.scope, AuthorizationCode?.scope, DeviceCode?.scope]
  return [...new Set(texts.flatMap((text) => (typeof text === 'string' ? text.split(' ') : [])))]
}
