import { expect, test } from 'vitest'
import { serveSettings } from '../src/config/serve-settings.ts'
import { reachNotes, shownUrl } from '../src/config/transport.ts'

const PRODUCTION = { NODE_ENV: ' Production' }

interface Given {
  readonly env?: Readonly<Record<string, string>>
  readonly ownTls?: boolean
  readonly tlsMode?: string
  readonly trustedProxies?: readonly string[]
  readonly publicUrls?: readonly string[]
  readonly allowedOrigins?: readonly string[]
}

function settings({ env = {}, ownTls = false, ...given }: Given) {
  const flags = {
    ...(ownTls && { tlsCert: 'cert.pem', tlsKey: 'key.pem' }),
    ...{ tls: given.tlsMode, trustedProxy: given.trustedProxies },
    ...{ publicUrl: given.publicUrls, allowOrigin: given.allowedOrigins },
  }
  return serveSettings({ flags, env }).reach
}

const failure = (code: string) =>
  expect.objectContaining({ name: 'SetupError', code, next: expect.stringMatching(/\w/) })

test('[TLS.6] requires TLS in production, and refuses to switch it off', () => {
  const env = PRODUCTION
  expect(settings({ env, ownTls: true })).toMatchObject({ tls: 'required', production: true })
  expect(() => settings({ env })).toThrow(failure('tls_cert_missing'))
  for (const ownTls of [true, false])
    expect(() => settings({ env, ownTls, tlsMode: 'off' })).toThrow(failure('tls_off_in_production'))
})

test('[TLS.6] outside production, accepts plain connections from loopback only, unless configured otherwise', () => {
  for (const ownTls of [true, false])
    expect(settings({ ownTls })).toMatchObject({ tls: 'required', production: false })
  expect(settings({ tlsMode: 'off' })).toMatchObject({ tls: 'off' })
  expect(() => settings({ tlsMode: 'required' })).toThrow(failure('tls_cert_missing'))
  expect(() => settings({ tlsMode: 'off', ownTls: true })).toThrow(failure('setting_invalid'))
  for (const tlsMode of ['', 'Off', 'none', 'required '])
    expect(() => settings({ tlsMode })).toThrow(failure('setting_invalid'))
})

test('[TLS.7] requires the address or range of a proxy that ends TLS', () => {
  const proxied = (...trustedProxies: string[]) =>
    settings({ tlsMode: 'terminated-by-proxy', trustedProxies })
  expect(() => proxied()).toThrow(failure('trusted_proxy_missing'))
  expect(proxied('10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1').trustedProxies).toEqual([
    '10.0.0.0/8',
    '192.0.2.7/32',
    'fd00::/8',
    '::1/128',
  ])
  for (const text of ['', 'proxy', '10.0.0.0/33', '10.1.2.3/8', '0.0.0.0/0', '::/0', '010.0.0.0/8', '10.0/8'])
    expect(() => proxied(text), text).toThrow(failure('setting_invalid'))
})

test('[TLS.7] validates and normalizes public URLs and origins', () => {
  const publicUrls = ['https://Bridge.example.com/', 'http://localhost:8787/at/']
  expect(settings({ publicUrls }).publicUrls).toEqual([
    'https://bridge.example.com',
    'http://localhost:8787/at',
  ])
  expect(() => settings({ env: PRODUCTION, ownTls: true, publicUrls })).toThrow(failure('setting_invalid'))
  for (const url of ['bridge', 'ftp://a', 'https://u:p@a', 'https://a?b', 'https://a#b'])
    expect(() => settings({ publicUrls: [url] }), url).toThrow(failure('setting_invalid'))

  expect(
    settings({ allowedOrigins: ['https://App.example.com', 'http://localhost:3000'] }).allowedOrigins,
  ).toEqual(['https://app.example.com', 'http://localhost:3000'])
  for (const origin of ['*', 'null', 'https://*.example.com', 'https://a/', 'https://a:443', 'a', 'file:///'])
    expect(() => settings({ allowedOrigins: [origin] }), origin).toThrow(failure('setting_invalid'))
})

test('[TLS.14] warns only for a node that listens everywhere without a public URL', () => {
  for (const [host, publicUrls, notes] of [
    ['0.0.0.0', [], 1],
    ['::', [], 1],
    ['0.0.0.0', ['http://bridge.lan:8787'], 0],
    ['127.0.0.1', [], 0],
    ['localhost', [], 0],
    ['192.168.1.5', [], 0],
  ] as const) {
    expect(reachNotes(settings({ publicUrls }), host, `http://${host}:8787`)).toHaveLength(notes)
  }
})

test.each([
  ['0.0.0.0', [], 'http://0.0.0.0:8787', 'http://ADDRESS-OF-THIS-MACHINE:8787'],
  ['::', [], 'https://[::]:8787', 'https://ADDRESS-OF-THIS-MACHINE:8787'],
  ['::', ['https://b.example.com/x', 'http://b.lan'], 'http://[::]:8787', 'https://b.example.com/x'],
  ['127.0.0.1', ['https://b.example.com'], 'http://127.0.0.1:8787', 'https://b.example.com'],
  ['::1', [], 'http://[::1]:8787', 'http://[::1]:8787'],
])(
  '[CLI.39] shows users no address of every interface: host %s, public URLs %j',
  (host, publicUrls, url, shown) => {
    expect(shownUrl(settings({ publicUrls }), host, url)).toBe(shown)
  },
)
