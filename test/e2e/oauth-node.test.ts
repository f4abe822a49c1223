import { request } from 'node:http'
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'
import { expect, test } from 'vitest'
import { bridgekeeper, type RunningBridge, serve } from '../support/installation.ts'
import { AppLogin } from '../support/mcp-login.ts'
import { discover } from '../support/oauth-client.ts'
import { Person, wordsOn } from '../support/person.ts'

const EMAIL = 'ann@example.com'
const PASSWORD = 'a horse that reads maps'

async function addUser(bridge: RunningBridge): Promise<void> {
  const added = await bridgekeeper(
    ['user', 'add', EMAIL, '--password-stdin', '--data', bridge.data],
    {},
    PASSWORD,
  )
  expect(added.code, added.stderr).toBe(0)
}

test('[OAUTH.18] logs in the official MCP client’s user on a default node, also after a restart', async () => {
  const bridge = await serve()
  await addUser(bridge)
  const login = new AppLogin()
  const url = new URL(`${bridge.url}/mcp`)
  const client = new Client({ name: 'official', version: '1' })
  const transport = new StreamableHTTPClientTransport(url, { authProvider: login })
  await expect(client.connect(transport)).rejects.toThrow(UnauthorizedError)
  const person = new Person(bridge.url)
  const page = await person.visit(String(login.sentTo))
  const consent = await person.submit(page, { action: '/login' }, { email: EMAIL, password: PASSWORD })
  expect(wordsOn(consent)).toContain('Official client')
  const { left } = await person.submit(consent, { answer: 'allow' })
  await transport.finishAuth(left?.searchParams ?? new URLSearchParams())
  const connected = new Client({ name: 'official', version: '1' })
  await connected.connect(new StreamableHTTPClientTransport(url, { authProvider: login }))
  expect(await connected.listTools()).toMatchObject({ tools: [{ name: 'bridgekeeper__status' }] })

  bridge.program.signal('SIGTERM')
  expect((await bridge.program.ended).code).toBe(0)
  await serve({ data: bridge.data, port: bridge.port })
  const again = new Client({ name: 'official', version: '1' })
  await again.connect(new StreamableHTTPClientTransport(url, { authProvider: login }))
  expect(await again.listTools()).toMatchObject({ tools: [{ name: 'bridgekeeper__status' }] })
  const before = String(login.kept?.refresh_token)
  if (login.kept !== undefined) login.kept = { ...login.kept, access_token: 'a.b.c' }
  expect(await again.listTools()).toMatchObject({ tools: [{ name: 'bridgekeeper__status' }] })
  expect(login.kept?.refresh_token).not.toBe(before)
}, 120_000)

/** A request as the proxy in front of a production node sends it. */
function behindProxy(bridge: RunningBridge, path: string): Promise<{ status: number; text: string }> {
  const headers = {
    host: 'bridge.example.com',
    'x-forwarded-proto': 'https',
    'x-forwarded-for': '203.0.113.7',
  }
  return new Promise((resolve, reject) => {
    request(`${bridge.url}${path}`, { headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })
}

const PRODUCTION = {
  NODE_ENV: 'production',
  JWT_SECRET: 's'.repeat(32),
  BRIDGEKEEPER_TLS: 'terminated-by-proxy',
  BRIDGEKEEPER_TRUSTED_PROXIES: '127.0.0.1',
  BRIDGEKEEPER_PUBLIC_URLS: 'https://bridge.example.com',
}

test('[OAUTH.16] enables registration on loopback, and in production only if configured', async () => {
  const metadata = async (env: Record<string, string>): Promise<Record<string, unknown>> => {
    const { text } = await behindProxy(await serve({ env }), '/.well-known/oauth-authorization-server')
    return JSON.parse(text) as Record<string, unknown>
  }
  const off = await metadata(PRODUCTION)
  expect(off).toMatchObject({
    issuer: 'https://bridge.example.com',
    token_endpoint: 'https://bridge.example.com/oauth/token',
  })
  expect(off).not.toHaveProperty('registration_endpoint')
  const on = await metadata({ ...PRODUCTION, BRIDGEKEEPER_ALLOW_REGISTRATION: '1' })
  expect(on).toHaveProperty('registration_endpoint', 'https://bridge.example.com/oauth/register')
  expect(await discover(await serve())).toHaveProperty('registration_endpoint')
  expect(await discover(await serve({ env: { BRIDGEKEEPER_ALLOW_REGISTRATION: '0' } }))).not.toHaveProperty(
    'registration_endpoint',
  )
}, 120_000)

test('[RS.5] names a production node’s resources under its public address behind a proxy', async () => {
  const bridge = await serve({ env: PRODUCTION })
  const { text } = await behindProxy(bridge, '/.well-known/oauth-protected-resource/mcp')
  expect(JSON.parse(text)).toMatchObject({
    resource: 'https://bridge.example.com/mcp',
    authorization_servers: ['https://bridge.example.com'],
  })
})

test('[PAGE.10] tells a program that posts to the root where MCP is', async () => {
  const { url } = await serve()
  const answer = await fetch(url, { method: 'POST', headers: { accept: 'application/json' }, body: '{}' })
  expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining('MCP is at /mcp')])
}, 60_000)
