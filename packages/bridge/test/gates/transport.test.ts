import { expect, test } from 'vitest'
import { isSecureConnection, type TlsMode, transportGate } from '../../src/gates/front-door.ts'
import { requestFacts, TrustedProxies } from '../../src/gates/request-facts.ts'

const proxies = new TrustedProxies(['10.0.0.0/8', '127.0.0.2'])

interface Said {
  readonly from?: string
  readonly encrypted?: boolean
  readonly proto?: readonly string[]
  readonly url?: string
  readonly host?: string
}

function facts({ from = '203.0.113.1', encrypted = false, proto = [], url = '/mcp', host = 'x' }: Said) {
  const rawHeaders = ['Host', host, ...proto.flatMap((value) => ['X-Forwarded-Proto', value])]
  return requestFacts({ url, rawHeaders, socket: { remoteAddress: from, encrypted } })
}

const passes = (mode: TlsMode, said: Said, loopbackPlain = false) =>
  isSecureConnection(facts(said), proxies, { mode, loopbackPlain })

const PROTOS: readonly (readonly [readonly string[], boolean])[] = [
  [[], false],
  [[''], false],
  [['http'], false],
  [['https'], true],
  [[' HTTPS '], true],
  [['https, https'], true],
  [['https', 'https'], true],
  [['https, http'], false],
  [['http, https'], false],
  [['https', 'http'], false],
  [['https,'], false],
  [['wss'], false],
  [['https x'], false],
  [['httpss'], false],
]

test('[TLS.1] accepts TLS that ends here in every mode, whatever else the request says', () => {
  for (const mode of ['required', 'terminated-by-proxy', 'off'] as const)
    for (const [proto] of PROTOS)
      for (const from of ['203.0.113.1', '10.0.0.1', '::1'])
        expect(passes(mode, { encrypted: true, proto, from })).toBe(true)
})

test('[TLS.1] refuses a connection without TLS where it is required, whatever the request says', () => {
  for (const [proto] of PROTOS)
    for (const from of ['203.0.113.1', '10.0.0.1', '127.0.0.1', '::1', '', 'unknown'])
      expect(passes('required', { from, proto }), `${from} ${proto}`).toBe(false)
})

test('[TLS.1] accepts every connection where TLS is switched off', () => {
  expect(passes('off', {})).toBe(true)
})

test.each(['localhost', 'localhost.evil.example', '127.0.0.1', '[::1]', 'evil.example'])(
  '[TLS.1] ignores Host or path that say %s',
  (text) => {
    for (const url of [`/${text}`, `/mcp?x=${text}`, `/mcp#${text}`])
      for (const mode of ['required', 'terminated-by-proxy'] as const)
        expect(passes(mode, { host: text, url }, true)).toBe(false)
  },
)

test('[TLS.2] believes a trusted proxy that reports https in every part', () => {
  for (const [proto, secure] of PROTOS)
    for (const from of ['10.0.0.1', '::ffff:10.0.0.1', '127.0.0.2'])
      for (const loopbackPlain of [false, true])
        expect(passes('terminated-by-proxy', { from, proto }, loopbackPlain), `${proto}`).toBe(secure)
})

test('[TLS.2] believes no other address', () => {
  for (const [proto] of PROTOS)
    for (const from of ['203.0.113.1', '11.0.0.1', '::1', '127.0.0.1', ''])
      expect(passes('terminated-by-proxy', { from, proto }), `${from} ${proto}`).toBe(false)
})

test.each<[string, boolean]>([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:7f00:1', true],
  ['203.0.113.1', false],
  ['::ffff:203.0.113.1', false],
  ['192.168.0.1', false],
  ['localhost', false],
  ['127.1', false],
  ['', false],
])('[TLS.3] outside production, judges a plain connection from %s: %j', (from, secure) => {
  for (const mode of ['required', 'terminated-by-proxy'] as const) {
    expect(passes(mode, { from }, true)).toBe(secure)
    expect(passes(mode, { from }, false)).toBe(false)
  }
})

test('[TLS.1] refuses with transport_insecure and nothing else', () => {
  const policy = { mode: 'required', loopbackPlain: false } as const
  expect(transportGate(facts({}), proxies, policy)).toEqual({ allowed: false, code: 'transport_insecure' })
  expect(transportGate(facts({ encrypted: true }), proxies, policy)).toEqual({
    allowed: true,
    value: undefined,
  })
})
