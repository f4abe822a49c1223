import * as oauth from 'oauth4webapi'
import type { Page, Person } from './person.ts'

/**
 * Nothing listens here. Outside the ephemeral ports of Linux (from 32768), macOS and Windows (from 49152), so that
 * no server of another test gets it by chance.
 */
export const CALLBACK = 'http://127.0.0.1:28571/callback'
export const SCOPE = 'tools:list tools:call:*/* prompts:read resources:read completion:use'
/** Our test nodes speak plain HTTP at this machine. */
export const INSECURE = { [oauth.allowInsecureRequests]: true } as const

/** An independent client: `oauth4webapi`, registered with the node. */
export interface TestClient {
  readonly as: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly auth: oauth.ClientAuth
}

export async function discover({ url }: { readonly url: string }): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(url)
  return oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...INSECURE }),
  )
}

/** Registers a public client. */
export async function register(node: { readonly url: string }, metadata: object = {}): Promise<TestClient> {
  const as = await discover(node)
  const response = await oauth.dynamicClientRegistrationRequest(
    as,
    {
      client_name: 'Test app',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      ...metadata,
    },
    INSECURE,
  )
  const client = (await oauth.processDynamicClientRegistrationResponse(response)) as oauth.Client
  return { as, client, auth: oauth.None() }
}

export interface Asked {
  readonly url: URL
  readonly verifier: string
  readonly state: string
}

/** The address to which a client sends its user; a parameter that is `undefined` is left out. */
export async function ask(
  { as, client }: TestClient,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<Asked> {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const parameters = {
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: SCOPE,
    resource: `${as.issuer}/mcp`,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...changes,
  }
  const url = new URL(as.authorization_endpoint ?? '')
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value)
  return { url, verifier, state }
}

/** The user allows the request. @returns the page at which the browser left for the client */
export async function allow(person: Person, asked: Asked): Promise<Page> {
  const consent = await person.visit(asked.url.href)
  return person.submit(consent, { answer: 'allow' })
}

/** The whole way: asked, allowed, and the code redeemed. */
export async function connect(
  person: Person,
  app: TestClient,
  changes: Readonly<Record<string, string | undefined>> = {},
  options: oauth.TokenEndpointRequestOptions = {},
): Promise<oauth.TokenEndpointResponse> {
  const asked = await ask(app, changes)
  const { left } = await allow(person, asked)
  if (left === undefined) throw new Error('The browser was not sent back to the client.')
  return redeem(app, left, asked, changes.redirect_uri ?? CALLBACK, options)
}

export async function redeem(
  { as, client, auth }: TestClient,
  left: URL,
  { verifier, state }: Asked,
  redirectUri = CALLBACK,
  options: oauth.TokenEndpointRequestOptions = {},
): Promise<oauth.TokenEndpointResponse> {
  const parameters = oauth.validateAuthResponse(as, client, left, state)
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    auth,
    parameters,
    redirectUri,
    verifier,
    {
      ...INSECURE,
      ...options,
    },
  )
  return oauth.processAuthorizationCodeResponse(as, client, response)
}

/** Sends raw parameters to the token endpoint. */
export async function askToken(
  as: oauth.AuthorizationServer,
  parameters: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(as.token_endpoint ?? '', {
    method: 'POST',
    body: new URLSearchParams(parameters),
    headers,
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
