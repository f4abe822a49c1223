import * as oauth from 'oauth4webapi'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { partsOf } from '../support/forge.ts'
import { bearer, post } from '../support/mcp.ts'
import { startOAuth } from '../support/oauth.ts'
import {
  allow,
  ask,
  askToken,
  CALLBACK,
  connect,
  discover,
  INSECURE,
  redeem,
  register,
  SCOPE,
} from '../support/oauth-client.ts'
import { Person, wordsOn } from '../support/person.ts'

test('[OAUTH.15] serves metadata at both well-known addresses under its issuer, whatever the Host', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  expect(as).toMatchObject({
    issuer: node.url,
    authorization_endpoint: `${node.url}/oauth/authorize`,
    token_endpoint: `${node.url}/oauth/token`,
    device_authorization_endpoint: `${node.url}/oauth/device`,
    registration_endpoint: `${node.url}/oauth/register`,
    revocation_endpoint: `${node.url}/oauth/revoke`,
    jwks_uri: `${node.url}/oauth/jwks`,
    code_challenge_methods_supported: ['S256'],
    response_types_supported: ['code'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
  })
  const other = await fetch(`${node.url}/.well-known/openid-configuration`, {
    headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'gopher' },
  })
  expect(await other.json()).toEqual(as)
  const jwks = (await (await fetch(`${node.url}/oauth/jwks`)).json()) as { keys: object[] }
  expect(jwks.keys).toHaveLength(1)
  expect(Object.keys(jwks.keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
})

test('[OAUTH.14] logs a user in, shows the request, and lets the client call once allowed', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const asked = await ask(app)
  const person = new Person(node.url)
  const login = await person.visit(asked.url.href, { 'sec-fetch-site': 'cross-site' })
  expect(new URL(login.url).pathname).toBe('/login')
  const fields = { email: 'ann@example.com', password: 'a horse that reads maps' }
  const consent = await person.submit(login, { action: '/login' }, fields)
  const words = wordsOn(consent)
  for (const part of [
    'Test app',
    'ann@example.com',
    'a program on this machine (127.0.0.1)',
    'all of yours',
    'run every tool of your servers',
    'see the names',
  ])
    expect(words).toContain(part)
  const { left } = await person.submit(consent, { answer: 'allow' })
  expect(left?.searchParams.get('iss')).toBe(node.url)
  const tokens = await redeem(app, left as URL, asked)
  expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 900, scope: SCOPE })
  expect(typeof tokens.refresh_token).toBe('string')
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)

  const { header, claims } = partsOf(tokens.access_token)
  const [session] = (await node.stores.sessions.ofUser('user_ann')).filter(({ kind }) => kind === 'client')
  expect(header).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
  expect(claims).toMatchObject({
    iss: node.url,
    sub: 'user_ann',
    aud: `${node.url}/mcp`,
    tv: 0,
    sid: session?.sessionId,
    client_id: app.client.client_id,
    scope: SCOPE,
  })
  expect(session).toMatchObject({ label: 'Test app', clientId: app.client.client_id })
  expect(node.recorded.names).toContain('client_approved')
})

test('[OAUTH.14] reports a refusal to the client, and grants nothing', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const asked = await ask(app)
  const { left } = await person.submit(await person.visit(asked.url.href), { answer: 'deny' })
  expect(left?.searchParams.get('error')).toBe('access_denied')
  expect(left?.searchParams.get('code')).toBeNull()
  expect((await node.stores.sessions.ofUser('user_ann')).filter(({ kind }) => kind === 'client')).toEqual([])
  expect(node.recorded.names).toContain('client_refused')
})

test('[OAUTH.5] shows on the page that a token is for one server, and accepts it there only', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const asked = await ask(app, {
    resource: `${node.url}/mcp/my%20files`,
    scope: 'tools:call:my%20files/read',
  })
  const consent = await person.visit(asked.url.href)
  expect(wordsOn(consent)).toContain('my files only')
  expect(wordsOn(consent)).toContain('run the tool read of my files')
  const { left } = await person.submit(consent, { answer: 'allow' })
  const { access_token: token, scope } = await redeem(app, left as URL, asked)
  expect(scope).toBe('tools:call:my%20files/read')
  expect((await post(node, '/mcp/my%20files', LIST, bearer(token))).status).toBe(200)
  expect((await post(node, '/mcp', LIST, bearer(token))).status).toBe(401)
})

test('[OAUTH.12] replaces a refresh token at each use, and keeps the session', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const first = await connect(await node.login('ann'), app)
  const { as, client, auth } = app
  const refresh = async (token: string) =>
    oauth.processRefreshTokenResponse(
      as,
      client,
      await oauth.refreshTokenGrantRequest(as, client, auth, token, INSECURE),
    )
  const second = await refresh(String(first.refresh_token))
  expect(second.refresh_token).not.toBe(first.refresh_token)
  expect(partsOf(second.access_token).claims.sid).toBe(partsOf(first.access_token).claims.sid)
  expect(partsOf(second.access_token).claims.aud).toBe(`${node.url}/mcp`)
  const third = await refresh(String(second.refresh_token))
  expect((await post(node, '/mcp', LIST, bearer(third.access_token))).status).toBe(200)
})

test('[OAUTH.12] refuses refresh and access tokens once the session ends on the account page', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const tokens = await connect(person, app)
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)
  const account = await person.visit(`${node.url}/account`)
  expect(wordsOn(account)).toContain('Test app')
  await person.submit(account, {
    action: '/account/sessions/end',
    sessionId: String(partsOf(tokens.access_token).claims.sid),
  })
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(401)
  const refused = await askToken(app.as, {
    grant_type: 'refresh_token',
    client_id: app.client.client_id,
    refresh_token: String(tokens.refresh_token),
  })
  expect(refused.body.error).toBe('invalid_grant')
})

test('[OAUTH.12] ends the session when a client revokes its refresh token', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const tokens = await connect(await node.login('ann'), app)
  const { as, client, auth } = app
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, auth, String(tokens.refresh_token), INSECURE),
  )
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(401)
  expect(node.recorded.named('session_ended')).toMatchObject([{ reason: 'ended_by_client' }])
})

test('[OAUTH.8] refuses earlier grants after a logout everywhere', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const tokens = await connect(await node.login('ann'), app)
  await node.stores.users.raiseTokenVersion('user_ann')
  await node.revoke({ kind: 'user', id: 'user_ann' })
  const refused = await askToken(app.as, {
    grant_type: 'refresh_token',
    client_id: app.client.client_id,
    refresh_token: String(tokens.refresh_token),
  })
  expect(refused.body.error).toBe('invalid_grant')
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(401)
})

test('[OAUTH.7] lets a program on the user’s machine vary its port only', async () => {
  const node = await startOAuth()
  const app = await register(node, { redirect_uris: ['http://127.0.0.1/callback'] })
  const person = await node.login('ann')
  const tokens = await connect(person, app, { redirect_uri: 'http://127.0.0.1:28572/callback' })
  expect(tokens.token_type).toBe('bearer')
  const asked = await ask(app, { redirect_uri: 'http://127.0.0.1:28572/callbacks' })
  const page = await person.visit(asked.url.href)
  expect(page.left).toBeUndefined()
  expect(page.status).toBe(400)
})

test('[OAUTH.14] asks a logged-in user each time, and reuses no approval', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const first = await connect(person, app)
  const second = await connect(person, app)
  expect(partsOf(first.access_token).claims.sid).not.toBe(partsOf(second.access_token).claims.sid)
  const { left } = await allow(person, await ask(app))
  expect(left?.href.startsWith(CALLBACK)).toBe(true)
})

test('[OAUTH.5] refuses a request for two resources, of which the user would see one', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  await connect(person, app)
  const asked = await ask(app, { resource: `${node.url}/mcp/notes` })
  asked.url.searchParams.append('resource', `${node.url}/mcp`)
  const { left } = await person.visit(asked.url.href)
  expect(left?.searchParams.get('error')).toBe('invalid_target')
})

test('[OAUTH.9] does not serve a path in capitals', async () => {
  const node = await startOAuth()
  for (const path of ['/oauth/REGISTER', '/oauth/Device', '/oauth/Authorize'])
    expect((await fetch(node.url + path, { method: 'POST' })).status).toBe(404)
})
