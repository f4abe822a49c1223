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
  redeem,
  register,
  SCOPE,
} from '../support/oauth-client.ts'
import { AGENT, askDevice, deviceParameters } from '../support/oauth-device.ts'
import { wordsOn } from '../support/person.ts'

test('[OAUTH.5] issues a token for /mcp to a client that names no resource, and shows that to the user', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  for (const resource of [undefined, '']) {
    const asked = await ask(app, { resource })
    const consent = await person.visit(asked.url.href)
    expect(wordsOn(consent)).toContain(`all of yours, at ${node.url}/mcp`)
    const { left } = await person.submit(consent, { answer: 'allow' })
    const tokens = await redeem(app, left as URL, asked)
    expect(partsOf(tokens.access_token).claims.aud).toBe(`${node.url}/mcp`)
    expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)
  }
})

test('[OAUTH.5] accepts every spelling of a resource at the authorization and token endpoints', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const { port } = new URL(node.url)
  const spellings: [string, string][] = [
    [`${node.url}/mcp?utm_source=x`, '/mcp'],
    [`HTTP://LOCALHOST:${port}/mcp/`, '/mcp'],
    [`http://[::1]:${port}/mcp`, '/mcp'],
    [node.url, '/mcp'],
    [`${node.url}/mcp/my%20files/`, '/mcp/my%20files'],
    [`${node.url}/mcp/%6Dy%20files`, '/mcp/my%20files'],
  ]
  for (const [resource, path] of spellings) {
    const asked = await ask(app, { resource })
    const { left } = await allow(person, asked)
    const { status, body } = await askToken(app.as, {
      ...{ grant_type: 'authorization_code', client_id: app.client.client_id, redirect_uri: CALLBACK },
      ...{ code: String(left?.searchParams.get('code')), code_verifier: asked.verifier, resource },
    })
    expect(status, resource).toBe(200)
    expect(partsOf(String(body.access_token)).claims.aud, resource).toBe(node.url + path)
    const renewed = await askToken(app.as, {
      ...{ grant_type: 'refresh_token', client_id: app.client.client_id, resource },
      refresh_token: String(body.refresh_token),
    })
    expect((await post(node, path, LIST, bearer(String(renewed.body.access_token)))).status, resource).toBe(
      200,
    )
  }
})

test('[OAUTH.5] treats two spellings of one resource as one', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const asked = await ask(app)
  asked.url.searchParams.append('resource', `${node.url}/mcp/`)
  const { left } = await allow(await node.login('ann'), asked)
  expect((await redeem(app, left as URL, asked)).token_type).toBe('bearer')
})

test.each<[string | undefined, string]>([
  [' offline_access', SCOPE],
  [' tools:list', 'tools:list'],
  ['tools:list  tools:call:*/* ', 'tools:list tools:call:*/*'],
  ['\ttools:list\n tools:list', 'tools:list'],
  ['offline_access', SCOPE],
  ['', SCOPE],
  [' ', SCOPE],
  ['mcp unknown', SCOPE],
  ['"mcp" é\\', SCOPE],
  ['tools:list mcp:read agent:connect', 'tools:list'],
  ['openid profile email offline_access', SCOPE],
  ['tools:call:my%20files/%72ead tools:call:x', 'tools:call:my%20files/read'],
  [undefined, SCOPE],
])('[OAUTH.26] for the requested scope %j, grants and reports %j', async (scope, granted) => {
  const node = await startOAuth()
  const app = await register(node)
  const tokens = await connect(await node.login('ann'), app, { scope })
  expect(tokens.scope).toBe(granted)
  expect(partsOf(tokens.access_token).claims.scope).toBe(granted)
  expect(typeof tokens.refresh_token).toBe('string')
})

test.each<[string, string]>([
  [' offline_access', SCOPE],
  ['openid offline_access mcp', SCOPE],
  ['', SCOPE],
  [' tools:list  offline_access\t', 'tools:list'],
  ['tools:list é', 'tools:list'],
])('[OAUTH.26] for a renewal with the scope %j, grants %j', async (scope, granted) => {
  const node = await startOAuth()
  const app = await register(node)
  const tokens = await connect(await node.login('ann'), app)
  const { status, body } = await askToken(app.as, {
    ...{ grant_type: 'refresh_token', client_id: app.client.client_id, scope },
    refresh_token: String(tokens.refresh_token),
  })
  expect(status).toBe(200)
  expect(body.scope).toBe(granted)
})

test('[OAUTH.26] enrols an agent that spells its scope and resource differently or omits them', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  for (const changes of [
    { scope: ' device:enroll  offline_access' },
    { scope: undefined, resource: undefined },
    { resource: `${node.url}/api/devices/` },
  ])
    expect((await askDevice(node, as, changes)).user_code).toMatch(/^[a-z]+-[a-z]+-[a-z]+$/)
})

test('[OAUTH.26] refuses a duplicate scope and a body over 64 KiB', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  const body = new URLSearchParams({ ...deviceParameters(node), client_id: AGENT.client_id })
  body.append('scope', 'device:enroll')
  const endpoint = String(as.device_authorization_endpoint)
  expect((await fetch(endpoint, { method: 'POST', body })).status).toBe(400)
  body.append('more', 'x'.repeat(65_536))
  expect((await fetch(endpoint, { method: 'POST', body })).status).toBe(413)
})

test('[OAUTH.29] names a public client by Basic without a secret, and ignores a bearer token', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const { client_id } = app.client
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  let { refresh_token } = await connect(await node.login('ann'), app)
  const renew = (headers: Record<string, string>, more: Record<string, string> = {}) =>
    askToken(
      app.as,
      { grant_type: 'refresh_token', refresh_token: String(refresh_token), ...more },
      { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    )
  const taken: [Record<string, string>, Record<string, string>?][] = [
    [basic(`${client_id}:`)],
    [basic(`${client_id}:`), { client_id }],
    [{ authorization: 'Bearer old' }, { client_id }],
    [{}, { client_id, client_secret: '' }],
  ]
  for (const [headers, more] of taken) {
    const { status, body } = await renew(headers, more)
    expect(status, JSON.stringify([headers, more])).toBe(200)
    refresh_token = String(body.refresh_token)
  }
  const other = await register(node, { token_endpoint_auth_method: 'client_secret_basic' })
  expect((await renew(basic(`${other.client.client_id}:`))).status).toBe(401)
  expect((await renew(basic(`${client_id}:`), { client_id: other.client.client_id })).status).toBe(400)
  expect((await renew({ authorization: 'Bearer old' })).status).toBe(400)
})

test.each(['select_account', 'create', 'consent select_account', ''])(
  '[OAUTH.29] asks as always for the prompt %j',
  async (prompt) => {
    const node = await startOAuth()
    const tokens = await connect(await node.login('ann'), await register(node), { prompt })
    expect(tokens.token_type).toBe('bearer')
  },
)

test.each([
  ['GET', '/oauth/token', 'POST'],
  ['PUT', '/oauth/register', 'POST'],
  ['DELETE', '/oauth/revoke', 'POST'],
  ['POST', '/.well-known/oauth-authorization-server', 'GET, HEAD'],
  ['POST', '/.well-known/openid-configuration/', 'GET, HEAD'],
  ['PUT', '/oauth/jwks', 'GET, HEAD'],
])('[OAUTH.15] answers %s %s with 405, and names its methods', async (method, path, allowed) => {
  const node = await startOAuth()
  const { status, headers } = await fetch(node.url + path, { method })
  expect([status, headers.get('allow')]).toEqual([405, allowed])
})

test('[OAUTH.30] redeems a code without the address of a client that has one, and no other code', async () => {
  const node = await startOAuth()
  const person = await node.login('ann')
  const redeemed = async (metadata: object, changes = {}) => {
    const app = await register(node, metadata)
    const asked = await ask(app, changes)
    const { left } = await allow(person, asked)
    expect(left?.href.startsWith(`${CALLBACK}?`)).toBe(true)
    return askToken(app.as, {
      ...{ grant_type: 'authorization_code', client_id: app.client.client_id },
      ...{ code: String(left?.searchParams.get('code')), code_verifier: asked.verifier },
    })
  }
  expect((await redeemed({})).status).toBe(200)
  expect((await redeemed({}, { redirect_uri: undefined })).status).toBe(200)
  const redirect_uris = [CALLBACK, `${CALLBACK}2`]
  expect((await redeemed({ redirect_uris })).status).toBe(400)
  const { url } = await ask(await register(node, { redirect_uris }), { redirect_uri: undefined })
  const page = await person.visit(url.href)
  expect([page.status, page.left]).toEqual([400, undefined])
})

test.each([
  ['max_age', '3600'],
  ['nonce', 'abc'],
  ['acr_values', 'strong'],
])('[OAUTH.29] ignores %s in a request without openid', async (name, value) => {
  const node = await startOAuth()
  const tokens = await connect(await node.login('ann'), await register(node), { [name]: value })
  expect(tokens.token_type).toBe('bearer')
})

test('[OAUTH.29] reads JSON at the token endpoint', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const { refresh_token } = await connect(await node.login('ann'), app)
  const asked = {
    ...{ grant_type: 'refresh_token', client_id: app.client.client_id, refresh_token },
    ...{ scope: null, resource: [`${node.url}/mcp/`] },
  }
  const send = async (body: string) => {
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    const response = await fetch(String(app.as.token_endpoint), { method: 'POST', headers, body })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  for (const unreadable of ['{', '[]', '5', JSON.stringify({ ...asked, client_id: {} })]) {
    const { status, body } = await send(unreadable)
    expect([status, body.error], unreadable).toEqual([400, 'invalid_request'])
    expect(body.error_description, unreadable).toContain('application/x-www-form-urlencoded')
  }
  const { status, body } = await send(JSON.stringify(asked))
  expect([status, body.token_type]).toEqual([200, 'Bearer'])
})

test('[OAUTH.31] reads a body without a type, or with a byte order mark, as its path expects', async () => {
  const node = await startOAuth()
  const app = await register(node)
  let { refresh_token } = await connect(await node.login('ann'), app)
  const send = async (path: string, body: string, headers = {}) => {
    const response = await fetch(`${node.url}/oauth/${path}`, {
      ...{ method: 'POST', body: Buffer.from(body), headers },
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  for (const mark of ['', '\uFEFF']) {
    const metadata = `${mark}${JSON.stringify({ redirect_uris: [CALLBACK] })}`
    expect((await send('register', metadata)).status).toBe(201)
    expect((await send('register', metadata, { 'content-type': 'application/json' })).status).toBe(201)
    const asked = { grant_type: 'refresh_token', client_id: app.client.client_id, refresh_token }
    const { status, body } = await send('token', mark + new URLSearchParams(asked as Record<string, string>))
    expect(status).toBe(200)
    refresh_token = String(body.refresh_token)
  }
  expect((await send('register', '{')).status).toBe(400)
  expect((await send('register', '{}', { 'content-type': 'text/plain' })).status).toBe(400)
})
