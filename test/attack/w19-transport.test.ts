import { afterEach, expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

afterEach(() => void vi.unstubAllEnvs())

test('[TLS.1] W19: refuses clear connections in production, in any letter case, whatever the request says', async () => {
  const tricks: readonly { readonly path?: string; readonly headers?: readonly string[] }[] = [
    {},
    { headers: ['Host: localhost'] },
    { headers: ['Host: localhost.evil.com'] },
    { path: '/api/mcp-ws?x=localhost' },
    { path: '/api/mcp-ws?host=127.0.0.1&wss://localhost' },
    { headers: ['X-Forwarded-Proto: https'] },
    { headers: ['X-Forwarded-Proto: wss', 'X-Forwarded-Ssl: on', 'Front-End-Https: on'] },
    {
      headers: ['Forwarded: proto=https;for=127.0.0.1', 'X-Forwarded-For: 127.0.0.1', 'X-Url-Scheme: https'],
    },
  ]
  for (const NODE_ENV of ['production', 'Production', 'PRODUCTION', ' production ']) {
    vi.stubEnv('NODE_ENV', NODE_ENV)
    const log = new Recorded()
    const at = await startBridge({ securityLog: log.securityLog })
    const { accessToken: token } = await at.token('ann')
    for (const trick of tricks) {
      expect(await tryUpgrade(at, { token, ...trick }), JSON.stringify(trick)).toMatchObject({
        status: 403,
        code: 'transport_insecure',
      })
    }
    expect((await post(at, '/mcp', toolCall('s__t'), bearer(token))).status).toBe(403)
    expect(log.names).toEqual(
      Array.from({ length: tricks.length + 1 }, () => 'ws_insecure_connection_rejected'),
    )
    expect(JSON.stringify(log.events)).not.toContain('x=localhost')
  }
})

test('[TLS.1] W19: refuses clear connections from other machines outside production too', async () => {
  vi.stubEnv('NODE_ENV', 'development')
  const at = await startBridge({
    trustedProxies: ['127.0.0.0/8'],
    tls: 'terminated-by-proxy',
    production: false,
  })
  const { accessToken: token } = await at.token('ann')
  expect((await tryUpgrade(at, { token })).code).toBe('transport_insecure')
})

test('[TLS.2] W19: believes https only from a trusted proxy, and only if every part says so', async () => {
  const { status, statusOf } = await behindProxy(['127.0.0.2'])
  expect(await status('X-Forwarded-Proto: https', '127.0.0.2')).toBe(101)
  expect(await status('X-Forwarded-Proto: HTTPS, https', '127.0.0.2')).toBe(101)
  for (const line of [
    'X-Forwarded-Proto: http',
    'X-Forwarded-Proto: https, http',
    'X-Forwarded-Proto: http, https',
    'X-Forwarded-Proto: https,',
    'X-Forwarded-Proto: httpsx',
    'X-Forwarded-Proto:',
    'X-Forwarded-Protocol: https',
  ])
    expect(await status(line, '127.0.0.2'), line).toBe(403)
  expect(await statusOf(['X-Forwarded-Proto: https', 'X-Forwarded-Proto: http'], '127.0.0.2')).toBe(403)
  expect(await status('X-Forwarded-Proto: https', '127.0.0.3')).toBe(403)
})

test('[TLS.3] W19: outside production, accepts clear connections from loopback, whatever their Host', async () => {
  const at = await startBridge({ production: false, publicUrls: ['http://bridge.example.com'] })
  const { accessToken: token } = await at.token('ann')
  expect((await tryUpgrade(at, { token, from: '127.0.0.9' })).status).toBe(101)
  expect((await tryUpgrade(at, { token, headers: ['Host: bridge.example.com'] })).status).toBe(101)
})

async function behindProxy(trustedProxies: readonly string[]) {
  const at = await startBridge({
    production: true,
    tls: 'terminated-by-proxy',
    trustedProxies,
    allowV1: true,
  })
  const { accessToken: token } = await at.token('ann')
  const statusOf = async (headers: readonly string[], from: string) =>
    (await tryUpgrade(at, { token, headers, from })).status
  return { statusOf, status: (line: string, from: string) => statusOf([line], from) }
}
