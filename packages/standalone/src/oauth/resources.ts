import {
  ACCESS_TOKEN_ALGORITHM,
  ACCESS_TOKEN_MS,
  canonicalScope,
  enrolmentResource,
  isMcpResource,
  mcpResource,
} from '@bridgekeeper/bridge/parts'
import { AGENT_CLIENT_ID, ENROL_SCOPE, readScope } from '@bridgekeeper/protocol'
import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'

const ONE_AT_A_TIME = 'request one resource at a time'

/**
 * [OAUTH.5] Resolves the resource of a token: exactly one of this bridge, in its canonical spelling. Agents
 * may request only the resource of enrolment, and only agents may. Source: RFC 8707 section 2.
 *
 * @throws errors.InvalidTarget
 */
export function resourceServer(
  issuer: string,
  ctx: KoaContextWithOIDC,
  resource: string,
  clientId: string,
): ResourceServer {
  // The page shows one resource, so a request may name only one.
  const asked: unknown = ctx.oidc.params?.resource
  if (Array.isArray(asked) && asked.length > 1) throw new errors.InvalidTarget(ONE_AT_A_TIME)
  const isEnrolment = resource === enrolmentResource(issuer)
  if (!isEnrolment && !isMcpResource(issuer, resource))
    throw new errors.InvalidTarget(
      `the resource is not one of this bridge: request ${mcpResource(issuer)}; its operator adds addresses with --public-url`,
    )
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

/** @throws errors.InvalidTarget if the client named several */
export function defaultResource(oneOf: readonly string[] | undefined): string[] {
  if (oneOf !== undefined) throw new errors.InvalidTarget(ONE_AT_A_TIME)
  return []
}

export function isMcpScope(scope: string): boolean {
  return canonicalScope(scope) !== undefined && readScope(scope)?.of === 'caller'
}

function isEnrolScope(scope: string): boolean {
  return scope === ENROL_SCOPE
}

/** Scopes of this request and of the one that it continues; the grant removes those that were not granted. */
function askedScopes({ oidc }: KoaContextWithOIDC): string[] {
  const { RefreshToken, AuthorizationCode, DeviceCode } = oidc.entities
  const texts = [oidc.params?.scope, RefreshToken?.scope, AuthorizationCode?.scope, DeviceCode?.scope]
  return [...new Set(texts.flatMap((text) => (typeof text === 'string' ? text.split(' ') : [])))]
}
