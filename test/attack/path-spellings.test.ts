import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { startBridge } from '../support/bridge.ts'
import { bearer } from '../support/mcp.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { CALLBACK, connect, register } from '../support/oauth-client.ts'
import { deviceParameters } from '../support/oauth-device.ts'
import { formOn, wordsOn } from '../support/person.ts'

/** Sends a target unchanged: `fetch` would normalize it. */
async function send(
  { port }: Pick<OAuthNode, 'port'>,
  target: string,
  { method = 'GET', body = '', headers = {} }: { method?: string; body?: string; headers?: object } = {},
): Promise<{ readonly status: number; readonly body: string; readonly answer: IncomingMessage }> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: target, method, headers: { ...headers } }
    request(options, resolve).on('error', reject).end(body)
  })
  return { status: answer.statusCode ?? 0, body: await text(answer), answer }
}

const SPELLINGS = (path: string) => {
  const last = path.lastIndexOf('/') + 1
  const escaped = `${path.slice(0, last)}%${path.charCodeAt(last).toString(16)}${path.slice(last + 1)}`
  return [path, `${path}/`, escaped, `${escaped}/`, `${path}?a=b`, `${path}/?a=b`]
}
const UNREADABLE = (path: string) => [
  `/${path}`,
  path.replace('/oauth/', '/oauth//'),
  path.replace('/oauth/', '/oauth/./'),
  path.replace('/oauth/', '/oauth/x/../'),
  path.replace('/oauth/', '/oauth/%2e/'),
  path.replace('/oauth/', '/x/%2e%2e/oauth/'),
  path.replace('/oauth/', '/oauth\\'),
  path.replace('/oauth/', '/oauth%2f'),
  `${path}//`,
  `${path}%`,
  `${path}%20`,
  path.toUpperCase(),
  path.replace('/oauth/', '/OAuth/'),
  `http://127.0.0.1${path}`,
  `http://evil.example${path}`,
]

const REGISTRATION = {
  method: 'POST',
  body: JSON.stringify({ redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }),
  headers: { 'content-type': 'application/json' },
}

test('[OAUTH.9] counts every spelling of the registration path towards one limit', async () => {
  const node = await startOAuth()
  const statuses: number[] = []
  for (let round = 0; round < 3; round++)
    for (const target of SPELLINGS('/oauth/register'))
      statuses.push((await send(node, target, REGISTRATION)).status)
  expect(statuses).toEqual([...Array(10).fill(201), ...Array(8).fill(429)])
})

test('[OAUTH.9] counts every spelling of the device path towards one limit', async () => {
  const node = await startOAuth()
  const statuses: number[] = []
  const body = new URLSearchParams({
    client_id: 'bridgekeeper-agent',
    ...deviceParameters(node),
  }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  for (let round = 0; round < 6; round++)
    for (const target of SPELLINGS('/oauth/device'))
      statuses.push((await send(node, target, { method: 'POST', body, headers })).status)
  expect(statuses).toEqual([...Array(30).fill(200), ...Array(6).fill(429)])
})

test('[PATH.1] routes a target without a canonical spelling to no endpoint', async () => {
  const node = await startOAuth()
  for (const target of UNREADABLE('/oauth/register')) {
    const { status } = await send(node, target, REGISTRATION)
    expect([400, 404], target).toContain(status)
  }
  for (const path of ['/oauth/token', '/oauth/authorize', '/oauth/jwks', '/oauth/revoke', '/oauth/device'])
    for (const target of UNREADABLE(path))
      expect([400, 404], target).toContain((await send(node, target)).status)
  for (const target of ['//login', '/Login', '/x/../login', '/.%2e/login', '/login//', '//healthz', '/mcp//'])
    expect([400, 404], target).toContain((await send(node, target)).status)
})

test('[PATH.1] answers 404 at paths that the authorization server does not name', async () => {
  const node = await startOAuth()
  for (const target of [
    '/oauth/register/some-client',
    '/oauth/endless',
    '/oauth/userinfo',
    '/oauth/request',
    '/oauth/authorize/a/b',
    '/device/a/b',
    '/interaction/a/b',
    '/interaction',
  ])
    for (const method of ['GET', 'POST'])
      expect((await send(node, target, { method })).status, `${method} ${target}`).toBe(404)
})

test('[PATH.1] ignores a trailing slash and needless escapes in the paths of pages and MCP', async () => {
  const node = await startOAuth()
  expect(await send(node, '/login/')).toMatchObject({ status: 200 })
  expect(await send(node, '/%6cogin?returnTo=%2Faccount')).toMatchObject({ status: 200 })
  expect(await send(node, '/healthz/')).toMatchObject({ status: 200 })
  const metadata = '/.well-known/oauth-protected-resource'
  for (const target of [`${metadata}/mcp/`, `${metadata}/`, `${metadata}/%6dcp`]) {
    const { status, body } = await send(node, target)
    expect(status, target).toBe(200)
    expect(JSON.parse(body), target).toMatchObject({ resource: `${node.url}/mcp` })
  }
  const named = await send(node, `${metadata}/mcp/a%2fb/`)
  expect(JSON.parse(named.body)).toMatchObject({ resource: `${node.url}/mcp/a%2Fb` })
  const as = await send(node, '/.well-known/oauth-authorization-server/')
  expect(JSON.parse(as.body)).toMatchObject({ issuer: node.url })
})

test('[RS.4] accepts a token for one server at every spelling of its path, and at no other server', async () => {
  const node = await startOAuth()
  const person = await node.login('ann')
  const { access_token: token } = await connect(person, await register(node), {
    resource: `${node.url}/mcp/a%2Fb`,
  })
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...bearer(token),
  }
  const post = async (target: string) =>
    (await send(node, target, { method: 'POST', body: JSON.stringify(LIST), headers })).status
  for (const target of ['/mcp/a%2Fb', '/mcp/a%2fb', '/mcp/a%2Fb/', '/mcp/%61%2Fb?x'])
    expect(await post(target), target).toBe(200)
  for (const target of ['/mcp', '/mcp/', '/mcp/a', '/mcp/a%252Fb', '/mcp/A%2Fb'])
    expect(await post(target), target).toBe(401)
  for (const target of ['/mcp/a/b', '/mcp/a//b', '/mcp/x/../a%2Fb'])
    expect(await post(target), target).toBe(404)
})

test('[PATH.1] shows the machine page at a path with a trailing slash', async () => {
  const node = await startOAuth()
  const person = await node.login('ann')
  const page = await person.visit(`${node.url}/device/`)
  expect(wordsOn(page)).toContain('Connect a machine')
  expect(formOn(page, { action: '/device' }).action).toBe('/device')
})

test('[PATH.1] passes each target to the app behind the bridge unchanged', async () => {
  const at = await startBridge()
  const seen: unknown[] = []
  at.server.on('request', (incoming, response) => {
    seen.push(incoming.url)
    response.end()
  })
  const targets = ['/app/', '/%61pp/%2e?x', '//app', '/app/../mcp', '/apps/%zz']
  for (const target of targets) await send(at, target)
  expect(seen).toEqual(targets)
})
