import { guardedFetch } from '@bridgekeeper/standalone/testing'
import * as oauth from 'oauth4webapi'
import { expect, test } from 'vitest'
import { httpsServer } from '../support/metadata-server.ts'
import { startOAuth } from '../support/oauth.ts'
import { ask, CALLBACK, connect, discover, type TestClient } from '../support/oauth-client.ts'
import { wordsOn } from '../support/person.ts'

const strict = guardedFetch({ allowLoopback: false })
const local = guardedFetch({ allowLoopback: true })

test.each([
  'https://127.0.0.1/',
  'https://127.1/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://localhost/',
  'https://[::1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[fe80::1]/',
  'https://[fd00::1]/',
  'https://0.0.0.0/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://100.64.0.1/',
  'https://169.254.169.254/latest/meta-data',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'http://example.com/',
  'https://example.com:8443/',
  'file:///etc/passwd',
])('[OAUTH.6] does not fetch %s', async (url) => {
  await expect(strict(url, {})).rejects.toThrow('The address is not allowed.')
})

test('[OAUTH.6] with loopback allowed, fetches from loopback but from no private network', async () => {
  const { url, port } = await httpsServer((_request, response) => response.end('{}'))
  expect(await (await local(`${url}/a`, {})).text()).toBe('{}')
  expect((await local(`https://localhost:${port}/a`, {})).status).toBe(200)
  for (const address of ['https://10.0.0.1/', 'https://169.254.169.254/', `http://127.0.0.1:${port}/`])
    await expect(local(address, {})).rejects.toThrow('The address is not allowed.')
})

test('[OAUTH.6] follows no redirect, refuses a huge answer, and times out', async () => {
  const paths: string[] = []
  const { url } = await httpsServer((request, response) => {
    paths.push(String(request.url))
    if (request.url === '/moved') response.writeHead(302, { location: '/inside' }).end()
    else if (request.url === '/huge') response.end('x'.repeat(100_000))
    else if (request.url === '/empty') response.writeHead(204).end()
  })
  expect((await local(`${url}/moved`, {})).status).toBe(302)
  expect((await local(`${url}/empty`, {})).status).toBe(204)
  await expect(local(`${url}/huge`, {})).rejects.toThrow('too large')
  await expect(local(`${url}/slow`, { signal: AbortSignal.timeout(100) })).rejects.toThrow()
  expect(paths).not.toContain('/inside')
})

/** A client identified by the address of its metadata. */
async function metadataClient(document: (id: string) => object | string) {
  const asked: string[] = []
  const { url } = await httpsServer((request, response) => {
    asked.push(String(request.url))
    const body = document(`${url}/client.json`)
    response.setHeader('content-type', 'application/json')
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  return { id: `${url}/client.json`, asked }
}

const good = (id: string) => ({
  client_id: id,
  client_name: 'App with an address',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
})

const clientAt = async (node: { readonly url: string }, id: string): Promise<TestClient> => ({
  as: await discover(node),
  client: { client_id: id },
  auth: oauth.None(),
})

test('[OAUTH.16] accepts an unregistered client by its metadata address, and shows that address to the user', async () => {
  const node = await startOAuth({ parts: { allowRegistration: false } })
  const { id, asked } = await metadataClient(good)
  const app = await clientAt(node, id)
  const person = await node.login('ann')
  const consent = await person.visit((await ask(app)).url.href)
  expect(wordsOn(consent)).toContain('App with an address')
  expect(wordsOn(consent)).toContain(`Comes from ${new URL(id).host}`)
  expect((await connect(person, app)).token_type).toBe('bearer')
  expect(asked).toEqual(['/client.json'])
})

test.each<[string, (id: string) => object | string]>([
  ['of another client', (id) => ({ ...good(id), client_id: 'https://other.example/client' })],
  [
    'with a secret',
    (id) => ({ ...good(id), client_secret: 's', token_endpoint_auth_method: 'client_secret_basic' }),
  ],
  ['that is not JSON', () => 'hello'],
  ['that is a list', () => '[]'],
  ['without redirect addresses', (id) => ({ ...good(id), redirect_uris: [] })],
  [
    'that sends codes over plain HTTP',
    (id) => ({ ...good(id), redirect_uris: ['http://evil.example/callback'] }),
  ],
  ['that sends codes to a script', (id) => ({ ...good(id), redirect_uris: ['javascript:alert(1)'] })],
  [
    'that asks for device codes',
    (id) => ({ ...good(id), grant_types: ['urn:ietf:params:oauth:grant-type:device_code'] }),
  ],
  ['that is huge', (id) => ({ ...good(id), client_name: 'x'.repeat(6_000) })],
])('[OAUTH.7] refuses client metadata %s', async (_what, document) => {
  const node = await startOAuth()
  const { id } = await metadataClient(document)
  const page = await (await node.login('ann')).visit((await ask(await clientAt(node, id))).url.href)
  expect(page.left).toBeUndefined()
  expect(page.status).toBeGreaterThanOrEqual(400)
})

test.each([
  'http://127.0.0.1/client',
  'https://127.0.0.1/client#a',
  'https://a@127.0.0.1/client',
  'https://10.0.0.1/client',
  'https://169.254.169.254/',
])('[OAUTH.6] refuses a client id with an unsafe address: %s', async (id) => {
  const node = await startOAuth()
  const page = await (await node.login('ann')).visit((await ask(await clientAt(node, id))).url.href)
  expect(page.left).toBeUndefined()
  expect(page.status).toBeGreaterThanOrEqual(400)
})

test('[OAUTH.9] fetches metadata at most 30 times for one address', async () => {
  const node = await startOAuth()
  const { id, asked } = await metadataClient(() => 'no')
  const as = await discover(node)
  for (let at = 0; at < 40; at++) {
    const url = new URL(String(as.authorization_endpoint))
    url.search = new URLSearchParams({
      client_id: `${id}?${at}`,
      redirect_uri: CALLBACK,
      response_type: 'code',
    }).toString()
    await fetch(url, { redirect: 'manual' })
  }
  expect(asked).toHaveLength(30)
})

test('[OAUTH.16] refuses registration while it is switched off', async () => {
  const node = await startOAuth({ parts: { allowRegistration: false } })
  expect((await discover(node)).registration_endpoint).toBeUndefined()
  const body = JSON.stringify({ redirect_uris: [CALLBACK] })
  const response = await fetch(`${node.url}/oauth/register`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  expect(response.status).toBe(404)
})

test.each<[string, object]>([
  ['codes over plain HTTP', { redirect_uris: ['http://evil.example/'] }],
  ['codes to a script', { redirect_uris: ['javascript:alert(1)'] }],
  ['no redirect addresses', { redirect_uris: [] }],
  ['a fragment', { redirect_uris: ['https://app.example/#a'] }],
  ['a user name in the address', { redirect_uris: ['https://a@app.example/'] }],
  ['implicit tokens', { redirect_uris: [CALLBACK], grant_types: ['implicit'], response_types: ['token'] }],
  [
    'device codes',
    { redirect_uris: [CALLBACK], grant_types: ['urn:ietf:params:oauth:grant-type:device_code'] },
  ],
])('[OAUTH.7] refuses a registration that asks for %s', async (_what, metadata) => {
  const node = await startOAuth()
  const response = await fetch(`${node.url}/oauth/register`, {
    method: 'POST',
    body: JSON.stringify(metadata),
    headers: { 'content-type': 'application/json' },
  })
  expect(response.status).toBe(400)
})
