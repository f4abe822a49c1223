import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const options = {
  publicUrls: ['https://bridge.example.com'],
  allowedOrigins: ['https://app.example.com', 'http://localhost:3000'],
  connectionLimits: {
    inAll: 500,
    perAddress: 500,
    perUser: 500,
    handshakes: 1_000,
    handshakeWindowMs: 60_000,
  },
}

const foreign = [
  'null',
  '',
  '*',
  'https://evil.example',
  'https://evil.app.example.com',
  'https://app.example.com.evil.example',
  'https://evilapp.example.com',
  'https://example.com',
  'http://app.example.com',
  'wss://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com:443',
  'https://app.example.com.',
  'https://app.example.com/',
  'https://APP.example.com',
  'https://аpp.example.com',
  'https://xn--pp-7kc.example.com',
  'https://app.example.com@evil.example',
  'https://evil.example#app.example.com',
  'app.example.com',
  'file://',
  'chrome-extension://abcdef',
  'https://app.example.com, https://evil.example',
  'https://app.example.com https://evil.example',
  'http://localhost:3001',
  'http://localhost',
  'http://127.0.0.1:3000',
  'http://[::1]:3000',
]

const credentials = (token: string): Readonly<Record<string, readonly string[]>> => ({
  cookie: [`Cookie: accessToken=${token}`],
  bearer: [`Authorization: Bearer ${token}`],
})

/** The same over HTTP, as a page's `fetch` would send it. */
function postAs(at: { readonly url: string }, origin: string, token: string): Promise<Response> {
  return fetch(`${at.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      origin,
      cookie: `accessToken=${token}`,
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
  })
}

test('[ORIGIN.1] W16: refuses pages of unlisted origins at WebSocket and MCP, with either credential', async () => {
  const log = new Recorded()
  const at = await startBridge({ ...options, securityLog: log.securityLog })
  const { accessToken } = await at.token('ann')
  for (const origin of foreign) {
    for (const [name, headers] of Object.entries(credentials(accessToken))) {
      const bytes = Buffer.from(`Origin: ${origin}`, 'utf8').toString('latin1')
      const answer = await tryUpgrade(at, { headers: [...headers, bytes] })
      expect(answer, `${origin} with ${name}`).toMatchObject({ status: 403, code: 'origin_forbidden' })
    }
    if (/^[\x20-\x7e]+$/.test(origin))
      expect((await postAs(at, origin, accessToken)).status, origin).toBe(403)
  }
  expect(log.named('ws_connection_refused')[0]).toMatchObject({ reason: 'origin_forbidden', ip: '127.0.0.1' })
})

test('[ORIGIN.1] W16: accepts listed origins and its own, and refuses two Origin headers', async () => {
  const at = await startBridge(options)
  const { accessToken: token } = await at.token('ann')
  for (const origin of ['https://app.example.com', 'https://bridge.example.com', 'http://localhost:3000']) {
    for (const headers of Object.values(credentials(token)))
      expect((await tryUpgrade(at, { headers: [...headers, `Origin: ${origin}`] })).status, origin).toBe(101)
    expect((await postAs(at, origin, token)).status, origin).toBe(200)
  }
  const twice = ['Origin: https://app.example.com', 'Origin: https://app.example.com']
  expect((await tryUpgrade(at, { token, headers: twice })).status).toBe(403)
})

test('[ORIGIN.2] W16: accepts either credential from a program, which sends no Origin', async () => {
  const at = await startBridge(options)
  for (const headers of Object.values(credentials((await at.token('ann')).accessToken)))
    expect((await tryUpgrade(at, { headers })).status).toBe(101)
})

test('[ORIGIN.3] W16: refuses rebound host names, and two Host headers', async () => {
  const at = await startBridge(options)
  const { accessToken: token } = await at.token('ann')
  const refused = [
    'evil.example',
    'localhost.evil.example',
    'bridge.example.com.evil.example',
    'bridge.example.com.',
    'evil.bridge.example.com',
    'localhost:3000@evil.example',
    '127.0.0.1.evil.example',
    '0x7f000001',
    '2130706433',
    '127.1',
    '[::1',
    'x'.repeat(300),
    'a b',
    '',
  ]
  for (const host of refused) {
    const answer = await tryUpgrade(at, { token, headers: [`Host: ${host}`] })
    expect([400, 403], host).toContain(answer.status)
    if (answer.status === 403) expect(answer.code).toBe('host_forbidden')
  }
  for (const host of [
    'bridge.example.com',
    'BRIDGE.example.com:443',
    'localhost:1',
    '127.0.0.1:9',
    '[::1]:9',
  ])
    expect((await tryUpgrade(at, { token, headers: [`Host: ${host}`] })).status, host).toBe(101)
  const two = ['Host: localhost', 'Host: evil.example']
  expect([400, 403]).toContain((await tryUpgrade(at, { token, headers: two })).status)
})
