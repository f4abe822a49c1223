import type { System, UserStore } from '@bridgekeeper/bridge'
import { ACCESS_TOKEN_MS, type SessionStore, type SigningKey } from '@bridgekeeper/bridge/parts'
import { ENROL_SCOPE, isThumbprint, LOGIN_SCOPES } from '@bridgekeeper/protocol'
import {
  type Configuration,
  errors,
  interactionPolicy,
  type KoaContextWithOIDC,
  Provider,
} from 'oidc-provider'
import { html } from '../web/html.ts'
import { page } from '../web/layout.ts'
import { pageHeaders } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import { readAccountId } from './account-id.ts'
import { ASSERTION_ALGORITHMS } from './client-metadata.ts'
import { AGENT_CLIENT, checkClient, DEVICE_GRANT } from './clients.ts'
import type { DevicePages } from './device-pages.ts'
import { documentFetch, guardedFetch } from './guarded-fetch.ts'
import { type RecordParts, Records } from './records.ts'
import { chainRefreshTokens } from './refresh-chain.ts'
import { defaultResource, resourceServer } from './resources.ts'
import { CODE_MASK } from './user-code.ts'

/** Lifetime of a client's grant; after it the user must approve again. */
export const GRANT_MS = 90 * 86_400_000
/** RFC 8628 section 3.2; the user has the same time to log in and approve. */
const DEVICE_CODE_SECONDS = 600
const REFRESH_TOKEN_SECONDS = 30 * 86_400
const CODE_SECONDS = 60
/** Maximum lifetime of a client's signed assertion, which is remembered until it expires so that it works once. */
const MAX_ASSERTION_SECONDS = 900
const MAX_DEVICE_NAME_CHARS = 64

export interface OidcProviderParts {
  /** The bridge's name that the client used; it is the issuer for this client. */
  readonly name: string
  /** The bridge's first name. Resources and tokens use it, regardless of the requested name. */
  readonly issuer: string
  readonly key: SigningKey
  readonly cookieKey: Uint8Array
  readonly records: RecordParts
  readonly users: Pick<UserStore, 'findById'>
  readonly sessions: SessionStore
  readonly system: System
  /** Whether anyone may register a client. Each user must still approve it. */
  readonly allowRegistration: boolean
  /** Whether the bridge is reachable on this machine only. */
  readonly isLoopback: boolean
  readonly devicePages: DevicePages
  readonly mayFetchMetadata: (ctx: KoaContextWithOIDC) => boolean
}

/**
 * Creates the authorization server of OAuth 2.1 with `oidc-provider`: codes with PKCE for MCP clients, device
 * codes for agents, access tokens for one resource each, and refresh tokens for one use.
 */
export function createOidcProvider(parts: OidcProviderParts, site: Site): Provider {
  const provider = new Provider(parts.name, {
    adapter: (model) => new Records(model, parts.records),
    clients: [AGENT_CLIENT],
    jwks: { keys: [parts.key.privateJwk] },
    cookies: cookies(parts.cookieKey),
    routes: ROUTES,
    ...clientRules(parts),
    ...tokenRules(parts),
    features: features(parts),
    interactions: {
      policy: interactionPolicy.base(),
      url: (_ctx, { uid }) => `${site.base}/interaction/${uid}`,
    },
    extraParams: { device_name: deviceName, device_key: deviceKey },
    renderError: (ctx, { error, error_description }) => showError(ctx, site, error_description ?? error),
    fetch: documentFetch(guardedFetch({ allowLoopback: parts.isLoopback })),
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256'],
      clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS],
    },
  })
  chainRefreshTokens(provider, parts.records.key)
  provider.proxy = true
  return provider
}

/** Paths of the library's endpoints. The library appends an id for the steps of an interaction. */
export const ROUTES = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  jwks: '/oauth/jwks',
  registration: '/oauth/register',
  revocation: '/oauth/revoke',
  device_authorization: '/oauth/device',
  code_verification: '/device',
  end_session: '/oauth/end',
}

function cookies(key: Uint8Array): NonNullable<Configuration['cookies']> {
  const options = { httpOnly: true, sameSite: 'lax', signed: true, path: '/' } as const
  return {
    keys: [Buffer.from(key).toString('base64url')],
    names: { session: 'oauthSession', interaction: 'oauthInteraction', resume: 'oauthResume' },
    long: options,
    short: { httpOnly: true, sameSite: 'lax', signed: true },
  }
}

/** [OAUTH.7] [OAUTH.11] Rules for clients and their authentication. */
function clientRules({ system }: OidcProviderParts): Partial<Configuration> {
  return {
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    assertJwtClientAuthClaimsAndHeader: (_ctx, { exp }) => {
      if (Number(exp) * 1_000 > system.nowMs() + MAX_ASSERTION_SECONDS * 1_000)
        throw new errors.InvalidClientAuth(
          `the client assertion must expire within ${MAX_ASSERTION_SECONDS} seconds`,
        )
    },
    clientDefaults: { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'none' },
    extraClientMetadata: {
      // Checked for every client, whether it names the property or not.
      properties: ['bridgekeeper'],
      validator: (_ctx, _key, _value, metadata) => checkClient(metadata),
    },
    // [OAUTH.30] PKCE protects the code.
    allowOmittingSingleRegisteredRedirectUri: true,
    pkce: { required: () => true },
    responseTypes: ['code'],
  }
}

/** [OAUTH.8] [OAUTH.12] Contents, lifetime and owner of tokens. */
function tokenRules({ issuer, users, sessions, system }: OidcProviderParts): Partial<Configuration> {
  return {
    scopes: LOGIN_SCOPES,
    claims: { openid: ['sub'] },
    conformIdTokenClaims: true,
    expiresWithSession: () => false,
    rotateRefreshToken: () => true,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // Each approval is a separate grant that expires and is never reused.
    loadExistingGrant: (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId
      return grantId === undefined ? Promise.resolve(undefined) : ctx.oidc.provider.Grant.find(grantId)
    },
    ttl: {
      AccessToken: ACCESS_TOKEN_MS / 1_000,
      AuthorizationCode: CODE_SECONDS,
      DeviceCode: DEVICE_CODE_SECONDS,
      Grant: GRANT_MS / 1_000,
      IdToken: 900,
      Interaction: 600,
      RefreshToken: REFRESH_TOKEN_SECONDS,
      Session: 600,
    },
    async findAccount(_ctx, accountId, token) {
      const account = readAccountId(accountId)
      if (account === undefined) return undefined
      const user = await users.findById(account.userId)
      if (user?.state !== 'active' || user.tokenVersion !== account.tokenVersion) return undefined
      const grantId = token !== undefined && 'grantId' in token ? token.grantId : undefined
      if (typeof grantId === 'string') {
        const session = await sessions.find(grantId)
        if (session?.userId !== user.userId || session.expiresAtMs <= system.nowMs()) return undefined
      }
      return { accountId, claims: () => ({ sub: user.userId }) }
    },
    extraTokenClaims(ctx, token) {
      const account = 'accountId' in token ? readAccountId(token.accountId) : undefined
      if (account === undefined || !('grantId' in token))
        throw new errors.InvalidGrant('the token has no user; log in again')
      const { device_name, device_key } = ctx.oidc.entities.DeviceCode?.params ?? {}
      const device = token.scope === ENROL_SCOPE ? { device_name, device_key } : {}
      return { sid: token.grantId, tv: account.tokenVersion, ...device }
    },
    formats: {
      customizers: {
        jwt: (_ctx, _token, { payload }) => {
          payload.iss = issuer
          payload.sub = readAccountId(String(payload.sub))?.userId
          payload.scope ??= ''
        },
      },
    },
  }
}

function features(parts: OidcProviderParts): NonNullable<Configuration['features']> {
  const { issuer, devicePages } = parts
  return {
    clientIdMetadataDocument: {
      enabled: true,
      ack: 'draft-02',
      allowFetch: (ctx) => parts.mayFetchMetadata(ctx),
    },
    devInteractions: { enabled: false },
    deviceFlow: {
      enabled: true,
      charset: 'digits',
      mask: CODE_MASK,
      deviceInfo: () => ({}),
      userCodeInputSource: (ctx, _form, _out, error) => devicePages.input(ctx, error),
      userCodeConfirmSource: (ctx, _form, _client, _info, userCode) => devicePages.confirm(ctx, userCode),
      successSource: (ctx) => devicePages.done(ctx),
    },
    dPoP: { enabled: true },
    pushedAuthorizationRequests: { enabled: false },
    registration: { enabled: parts.allowRegistration, issueRegistrationAccessToken: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, _client, oneOf) => defaultResource(oneOf),
      getResourceServerInfo: (ctx, resource, client) =>
        resourceServer(issuer, ctx, resource, client.clientId),
      useGrantedResource: () => true,
    },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
  }
}

/** Requires the machine's name, which the approval page shows, in requests for a device code. Others ignore it. */
function deviceName(ctx: KoaContextWithOIDC, value: string | undefined): void {
  if (!isForDevice(ctx)) return
  if (value === undefined || value.trim() === '' || value.length > MAX_DEVICE_NAME_CHARS)
    throw new errors.InvalidRequest(`device_name must have 1 to ${MAX_DEVICE_NAME_CHARS} characters`)
}

function deviceKey(ctx: KoaContextWithOIDC, value: string | undefined): void {
  if (isForDevice(ctx) && (value === undefined || !isThumbprint(value)))
    throw new errors.InvalidRequest('device_key must be a JWK thumbprint (RFC 7638)')
}

function isForDevice({ oidc }: KoaContextWithOIDC): boolean {
  return oidc.route === 'device_authorization' && oidc.client?.grantTypeAllowed(DEVICE_GRANT) === true
}

/** Shows the user an error that cannot be sent to the client, because its address is unknown. */
export function showError(ctx: KoaContextWithOIDC, site: Site, text: string): void {
  const main = html`<div class="card"><p>The app that led you here sent a request that is not allowed. Nothing was changed.</p></div>`
  const notice = { kind: 'bad', text } as const
  ctx.set(pageHeaders(false))
  ctx.body = page({ site, title: 'That did not work', main, notice, narrow: true }).toString()
}
