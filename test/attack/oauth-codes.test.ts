import * as oauth from 'oauth4webapi'
import { afterEach, expect, test, vi } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { bearer, post } from '../support/mcp.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import {
  type Asked,
  allow,
  ask,
  askToken,
  CALLBACK,
  connect,
  redeem,
  register,
  type TestClient,
} from '../support/oauth-client.ts'

afterEach(() => vi.useRealTimers())

/** Time passes, for the library as well. */
function later(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
}

async function codeFor(
  node: OAuthNode,
  app: TestClient,
): Promise<{ readonly asked: Asked; readonly code: string }> {
  const asked = await ask(app)
  const { left } = await allow(await node.login('ann'), asked)
  return { asked, code: String(left?.searchParams.get('code')) }
}

const codeParameters = (app: TestClient, code: string, asked: Asked) => ({
  grant_type: 'authorization_code',
  client_id: app.client.client_id,
  redirect_uri: CALLBACK,
  code,
  code_verifier: asked.verifier,
})

const clientSessions = async (node: OAuthNode) =>
  (await node.stores.sessions.ofUser('user_ann')).filter(({ kind }) => kind === 'client')

test('[OAUTH.4] revokes the tokens of a code when the code is used again', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const { asked, code } = await codeFor(node, app)
  const first = await askToken(app.as, codeParameters(app, code, asked))
  expect(first.status).toBe(200)
  const token = bearer(String(first.body.access_token))
  expect((await post(node, '/mcp', LIST, token)).status).toBe(200)
  expect((await askToken(app.as, codeParameters(app, code, asked))).body.error).toBe('invalid_grant')
  expect((await post(node, '/mcp', LIST, token)).status).toBe(401)
  expect(await clientSessions(node)).toEqual([])
  expect(node.recorded.named('session_ended')).toMatchObject([{ reason: 'token_reused' }])
})

test('[OAUTH.4] issues tokens for at most one of eight concurrent uses of a code, and revokes them', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const { asked, code } = await codeFor(node, app)
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => askToken(app.as, codeParameters(app, code, asked))),
  )
  expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
  expect(await clientSessions(node)).toEqual([])
  for (const { body } of answers)
    if (body.access_token !== undefined)
      expect((await post(node, '/mcp', LIST, bearer(String(body.access_token)))).status).toBe(401)
})

test.each<[string, Record<string, string>]>([
  ['another verifier', { code_verifier: 'a'.repeat(43) }],
  ['no verifier', { code_verifier: '' }],
  ['another address', { redirect_uri: `${CALLBACK}2` }],
  ['another resource', { resource: 'https://evil.example/mcp' }],
])('[OAUTH.11] refuses a code with %s', async (_what, changes) => {
  const node = await startOAuth()
  const app = await register(node)
  const { asked, code } = await codeFor(node, app)
  const answer = await askToken(app.as, { ...codeParameters(app, code, asked), ...changes })
  expect(answer.status).toBe(400)
  expect(answer.body).not.toHaveProperty('access_token')
})

test('[OAUTH.11] refuses a code from another client, and after a minute', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const thief = await register(node)
  const { asked, code } = await codeFor(node, app)
  const stolen = { ...codeParameters(app, code, asked), client_id: thief.client.client_id }
  expect((await askToken(app.as, stolen)).body.error).toBe('invalid_grant')
  later(61_000)
  expect((await askToken(app.as, codeParameters(app, code, asked))).body.error).toBe('invalid_grant')
})

/** A user who has connected the app, so that errors are redirected to it. */
async function knownBy(node: OAuthNode, app: TestClient) {
  const person = await node.login('ann')
  await connect(person, app)
  return person
}

test.each<[string, Record<string, string | undefined>]>([
  ['plain PKCE', { code_challenge_method: 'plain' }],
  ['PKCE of no method', { code_challenge_method: undefined }],
  ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }],
  ['a short challenge', { code_challenge: 'abc' }],
  ['tokens in the address', { response_type: 'token' }],
  ['an ID token in the address', { response_type: 'code id_token', nonce: 'n' }],
  ['parameters in a JWT', { request: 'e30.e30.' }],
])('[OAUTH.11] issues no code for a request with %s', async (_what, changes) => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await knownBy(node, app)
  const { left } = await person.visit((await ask(app, changes)).url.href)
  const answer = new URLSearchParams(left?.hash.slice(1) || left?.search)
  expect(answer.get('error')).toMatch(/^(invalid_request|unsupported_response_type|request_not_supported)$/)
  expect(answer.get('code')).toBeNull()
  expect(answer.get('iss')).toBe(node.url)
})

test.each<[string, (url: string) => Record<string, string | undefined>]>([
  ['of another server', () => ({ resource: 'https://evil.example/mcp' })],
  ['that begins like ours', (url) => ({ resource: `${url}.evil.example/mcp` })],
  ['with a user name', (url) => ({ resource: `${url.replace('//', '//mcp@')}/mcp` })],
  ['at another port', (url) => ({ resource: `${url}1/mcp` })],
  ['over another scheme', (url) => ({ resource: `${url.replace('http', 'https')}/mcp` })],
  ['in other letters', (url) => ({ resource: `${url}/MCP` })],
  ['with a backslash', (url) => ({ resource: `${url}\\mcp` })],
  ['with an empty segment', (url) => ({ resource: `${url}/mcp//files` })],
  ['of agents', (url) => ({ resource: `${url}/api/mcp-ws` })],
  ['of enrolment', (url) => ({ resource: `${url}/api/devices` })],
  ['with a fragment', (url) => ({ resource: `${url}/mcp#a` })],
  ['that is not a URL', () => ({ resource: 'mcp' })],
])('[OAUTH.5] refuses a request for a resource %s', async (_what, changes) => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await knownBy(node, app)
  const { left } = await person.visit((await ask(app, changes(node.url))).url.href)
  expect(left?.searchParams.get('error')).toBe('invalid_target')
})

test('[OAUTH.5] issues no code for a request with two resources', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const asked = await ask(app)
  asked.url.searchParams.append('resource', `${node.url}/mcp/files`)
  const { left } = await (await node.login('ann')).visit(asked.url.href)
  expect(left?.searchParams.get('code') ?? null).toBeNull()
})

test.each([
  'http://127.0.0.1:28571/callback/',
  'http://127.0.0.1:28571/callbac',
  'http://127.0.0.1:28571/Callback',
  'http://127.0.0.1:28571/callback?x=1',
  'http://127.0.0.1:28571/callback#x',
  'http://127.0.0.1:28571/../callback',
  'http://127.0.0.1:28571//callback',
  'https://127.0.0.1:28571/callback',
  'http://127.0.0.2:28571/callback',
  'http://localhost:28571/callback',
  'http://127.0.0.1.evil.example:28571/callback',
  'http://127.0.0.1:28571@evil.example/callback',
  'http://evil.example/callback',
  'javascript:alert(1)',
  '//evil.example/callback',
])('[OAUTH.7] never redirects to an unregistered address: %s', async (address) => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const page = await person.visit((await ask(app, { redirect_uri: address })).url.href)
  expect(page.left).toBeUndefined()
  expect(page.status).toBe(400)
  expect(page.headers.get('location')).toBeNull()
})

test('[OAUTH.4] [OAUTH.12] ends the session when a copied refresh token is used again after the grace period', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const first = await connect(await node.login('ann'), app)
  const parameters = {
    grant_type: 'refresh_token',
    client_id: app.client.client_id,
    refresh_token: String(first.refresh_token),
  }
  const second = await askToken(app.as, parameters)
  expect(second.status).toBe(200)
  later(11_000)
  expect((await askToken(app.as, parameters)).body.error).toBe('invalid_grant')
  const latest = { ...parameters, refresh_token: String(second.body.refresh_token) }
  expect((await askToken(app.as, latest)).body.error).toBe('invalid_grant')
  expect((await post(node, '/mcp', LIST, bearer(String(second.body.access_token)))).status).toBe(401)
  expect(node.recorded.named('session_ended')).toMatchObject([{ reason: 'token_reused' }])
})

test('[OAUTH.27] issues one successor for eight concurrent uses of a refresh token', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const first = await connect(await node.login('ann'), app)
  const renew = (token: unknown) =>
    askToken(app.as, {
      grant_type: 'refresh_token',
      client_id: app.client.client_id,
      refresh_token: String(token),
    })
  const answers = await Promise.all(Array.from({ length: 8 }, () => renew(first.refresh_token)))
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
  const [next, ...others] = new Set(answers.map(({ body }) => body.refresh_token))
  expect(others).toEqual([])
  expect(next).not.toBe(first.refresh_token)
  expect(await clientSessions(node)).toHaveLength(1)
  expect(node.recorded.named('session_ended')).toEqual([])
  for (const { body } of answers)
    expect((await post(node, '/mcp', LIST, bearer(String(body.access_token)))).status).toBe(200)
})

test('[OAUTH.27] accepts a retry after a lost answer, even when the successor was already used', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const first = await connect(await node.login('ann'), app)
  const renew = async (token: unknown) =>
    (
      await askToken(app.as, {
        grant_type: 'refresh_token',
        client_id: app.client.client_id,
        refresh_token: String(token),
      })
    ).body.refresh_token
  const second = await renew(first.refresh_token)
  const third = await renew(second)
  expect(await renew(first.refresh_token)).toBe(second)
  expect(await renew(second)).toBe(third)
  later(11_000)
  const fourth = await renew(third)
  expect(typeof fourth).toBe('string')
  // A copy that was used within the grace has the same next token: the second use of that ends the session.
  later(11_000)
  expect(await renew(third)).toBeUndefined()
  expect(await renew(fourth)).toBeUndefined()
  expect(node.recorded.named('session_ended')).toMatchObject([{ reason: 'token_reused' }])
})

test('[OAUTH.27] grants the grace period to the same client only, and ends it with the session', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const thief = await register(node)
  const first = await connect(await node.login('ann'), app)
  const renew = (clientId: string) =>
    askToken(app.as, {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: String(first.refresh_token),
    })
  expect((await renew(app.client.client_id)).status).toBe(200)
  expect((await renew(thief.client.client_id)).body.error).toBe('invalid_grant')
  for (const { sessionId } of await clientSessions(node)) await node.stores.sessions.end(sessionId)
  expect((await renew(app.client.client_id)).body.error).toBe('invalid_grant')
})

test('[OAUTH.12] refuses a refresh token from another client, for more scopes, for another resource or after expiry', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const thief = await register(node)
  const first = await connect(await node.login('ann'), app, { scope: 'tools:list' })
  const parameters = {
    grant_type: 'refresh_token',
    client_id: app.client.client_id,
    refresh_token: String(first.refresh_token),
  }
  const stolen = { ...parameters, client_id: thief.client.client_id }
  expect((await askToken(app.as, stolen)).body.error).toBe('invalid_grant')
  const wider = { ...parameters, scope: 'tools:list tools:call:*/*' }
  expect((await askToken(app.as, wider)).body.error).toBe('invalid_scope')
  const elsewhere = { ...parameters, resource: `${node.url}/mcp/files` }
  expect((await askToken(app.as, elsewhere)).body.error).toBe('invalid_target')
  later(31 * 86_400_000)
  expect((await askToken(app.as, parameters)).body.error).toBe('invalid_grant')
})

test('[OAUTH.15] sends the issuer, so that a client rejects a mixed-up answer', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const asked = await ask(app)
  const { left } = await allow(await node.login('ann'), asked)
  const mixedUp = new URL(left?.href ?? '')
  mixedUp.searchParams.set('iss', 'https://evil.example')
  expect(() => oauth.validateAuthResponse(app.as, app.client, mixedUp, asked.state)).toThrow('iss')
  mixedUp.searchParams.delete('iss')
  expect(() => oauth.validateAuthResponse(app.as, app.client, mixedUp, asked.state)).toThrow('iss')
  expect((await redeem(app, left as URL, asked)).token_type).toBe('bearer')
})
