import { expect, test } from 'vitest'
import { agentWith } from '../support/agents.ts'
import { LIST } from '../support/attacker.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { startOAuth } from '../support/oauth.ts'
import { askToken, CALLBACK, connect, register } from '../support/oauth-client.ts'

const ORIGIN = 'http://localhost:6274'
const EVIL = 'https://evil.example'
const SENT =
  'authorization,content-type,mcp-protocol-version,mcp-session-id,last-event-id,mcp-method,mcp-name,dpop'
const OAUTH = ['token', 'register', 'revoke', 'device'].map((name) => `/oauth/${name}`)
const PUBLIC = [
  ...['', '/mcp', '/mcp/files'].map((path) => `/.well-known/oauth-protected-resource${path}`),
  ...['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/oauth/jwks'],
]

const preflight = (url: string, origin: string) =>
  fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': SENT,
    },
  })

test('[ORIGIN.6] answers preflights of a listed origin at every endpoint for apps', async () => {
  const node = await startOAuth({ allowedOrigins: [ORIGIN] })
  for (const path of ['/mcp', '/mcp/files', '/mcp/', ...OAUTH, ...PUBLIC]) {
    const answer = await preflight(node.url + path, ORIGIN)
    expect(answer.status, path).toBe(204)
    expect([ORIGIN, '*'], path).toContain(answer.headers.get('access-control-allow-origin'))
    const allowed = String(answer.headers.get('access-control-allow-headers')).split(', ')
    expect(allowed, path).toEqual(expect.arrayContaining(SENT.split(',')))
    expect(answer.headers.get('access-control-allow-credentials'), path).toBeNull()
  }
})

test('[ORIGIN.6] refuses other origins everywhere but at public paths', async () => {
  const node = await startOAuth({ allowedOrigins: [ORIGIN] })
  for (const path of ['/mcp', '/mcp/files', ...OAUTH])
    for (const method of ['OPTIONS', 'POST']) {
      const headers = { origin: EVIL, 'access-control-request-method': 'POST' }
      const answer = await fetch(node.url + path, { method, headers })
      expect(answer.status, path).toBe(403)
      expect(answer.headers.get('access-control-allow-origin'), path).toBeNull()
    }
  for (const path of PUBLIC) {
    expect((await preflight(node.url + path, EVIL)).status, path).toBe(204)
    const answer = await fetch(node.url + path, { headers: { origin: EVIL } })
    expect(answer.status, path).toBe(200)
    expect(answer.headers.get('access-control-allow-origin'), path).toBe('*')
  }
})

test('[ORIGIN.6] lets no page read pages for people', async () => {
  const node = await startOAuth({ allowedOrigins: [ORIGIN] })
  for (const path of ['/login', '/account', '/device', '/oauth/authorize', '/healthz']) {
    const answer = await preflight(node.url + path, ORIGIN)
    expect(answer.headers.get('access-control-allow-origin'), path).toBeNull()
  }
})

test('[ORIGIN.6] lets a page of a listed origin register, get a token, list and call, and read each answer and refusal', async () => {
  const node = await startOAuth({ allowedOrigins: [ORIGIN] })
  const origin = { origin: ORIGIN }
  const readable = (answer: { readonly headers: Headers }, what: string): void => {
    expect(answer.headers.get('access-control-allow-origin'), what).toBe(ORIGIN)
    expect(answer.headers.get('access-control-expose-headers'), what).toContain('WWW-Authenticate')
    expect(answer.headers.get('vary'), what).toContain('Origin')
  }
  const registration = (body: object) =>
    fetch(`${node.url}/oauth/register`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...origin },
    })
  readable(await registration({ redirect_uris: [CALLBACK] }), 'registration')
  readable(await registration({}), 'refused registration')
  const app = await register(node)
  const tokens = await connect(await node.login('ann'), app, {}, { headers: origin })
  const wrong = { grant_type: 'refresh_token', client_id: app.client.client_id, refresh_token: 'x' }
  expect((await askToken(app.as, wrong, origin)).body.error).toBe('invalid_grant')

  await agentWith(node, 'ann', 'files', 'read')
  const token = { ...bearer(tokens.access_token), ...origin }
  readable(await post(node, '/mcp', LIST, token), 'list')
  readable(await post(node, '/mcp/files', toolCall('read'), token), 'call')
  readable(await post(node, '/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' }, token), 'ping')
  const refused = await post(node, '/mcp', LIST, origin)
  expect(refused.status).toBe(401)
  readable(refused, '401')
  readable(await fetch(`${node.url}/mcp`, { headers: token }), '405')
})
