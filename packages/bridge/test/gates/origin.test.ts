import { expect, test } from 'vitest'
import { originGate, originPolicy } from '../../src/gates/front-door.ts'
import { requestFacts } from '../../src/gates/request-facts.ts'

const policy = originPolicy(
  ['https://bridge.example.com', 'http://[fd00::1]:8080'],
  ['https://allowed.com', 'https://app.example:8443', 'https://bücher.example'],
)

const CREDENTIALS = [
  ['Cookie', 'accessToken=t'],
  ['Authorization', 'Bearer t'],
] as const

function gate(origins: readonly string[], hosts: readonly string[], credential: readonly string[] = []) {
  const rawHeaders = [
    ...credential,
    ...origins.flatMap((origin) => ['Origin', origin]),
    ...hosts.flatMap((host) => ['Host', host]),
  ]
  const socket = { remoteAddress: '203.0.113.1' }
  return originGate(requestFacts({ url: '/mcp', rawHeaders, socket }), policy)
}

test.each<[readonly string[], boolean]>([
  [['https://allowed.com'], true],
  [['https://app.example:8443'], true],
  [['https://bridge.example.com'], true],
  [['http://[fd00::1]:8080'], true],
  [['https://xn--bcher-kva.example'], true],
  [['null'], false],
  [[''], false],
  [['https://evil.com'], false],
  [['https://sub.evil.com'], false],
  [['https://sub.allowed.com'], false],
  [['https://allowed.com.evil.com'], false],
  [['https://evil-allowed.com'], false],
  [['https://evil.com/https://allowed.com'], false],
  [['https://allowed.com@evil.com'], false],
  [['http://allowed.com'], false],
  [['https://allowed.com:443'], false],
  [['https://allowed.com:444'], false],
  [['https://app.example'], false],
  [['https://allowed.com.'], false],
  [['https://allowed.com/'], false],
  [['HTTPS://ALLOWED.COM'], false],
  [['https://bücher.example'], false],
  [['https://аllowed.com'], false],
  [['https://allowed.com '], false],
  [['https://allowed.com, https://evil.com'], false],
  [['https://allowed.com', 'https://allowed.com'], false],
  [['https://allowed.com', 'https://evil.com'], false],
  [['http://localhost'], false],
  [['http://127.0.0.1'], false],
  [['chrome-extension://abcdef'], false],
  [['file://'], false],
])('[ORIGIN.1] judges the origin %j: %j, with a cookie as with a bearer token', (origins, passes) => {
  for (const credential of CREDENTIALS) {
    const verdict = gate(origins, ['bridge.example.com'], credential)
    expect(verdict).toEqual(
      passes ? { allowed: true, value: undefined } : { allowed: false, code: 'origin_forbidden' },
    )
  }
})

test('[ORIGIN.2] accepts both kinds of credentials without an Origin', () => {
  for (const credential of CREDENTIALS)
    expect(gate([], ['bridge.example.com'], credential)).toMatchObject({ allowed: true })
})

test.each([
  'bridge.example.com',
  'bridge.example.com:8787',
  'BRIDGE.Example.COM',
  'localhost',
  'localhost:8787',
  '127.0.0.1',
  '127.0.0.1:8787',
  '192.168.1.5:1',
  '[::1]',
  '[::1]:8787',
  '[fd00::1]',
  '[::ffff:127.0.0.1]:80',
])('[ORIGIN.3] accepts the Host %j', (host) => {
  expect(gate([], [host])).toMatchObject({ allowed: true })
})

test.each([
  'evil.com',
  'rebind.127.0.0.1.nip.io',
  'localhost.evil.com',
  'localhost.',
  'xlocalhost',
  'bridge.example.com.',
  'bridge.example.com.evil.com',
  'sub.bridge.example.com',
  'evil.com:bridge.example.com',
  'bridge.example.com@evil.com',
  'bridge.example.com:80:80',
  'bridge.example.com:',
  'bridge.example.com:123456',
  'bridge.example.com:8x',
  'bridge.example.com/x',
  'bridge.example.com ',
  'bridge.example.com,evil.com',
  '0x7f.1',
  '0x7f000001',
  '2130706433',
  '127.1',
  '127.0.1',
  '0177.0.0.1',
  '127.0.0.01',
  '127.0.0.256',
  '127.0.0.1.',
  '1.2.3.4.5',
  '::1',
  '[::1',
  '::1]',
  '[]',
  '[::g]',
  '[::1%lo]',
  '[1:2]',
  '[127.0.0.1]',
  '',
  ' ',
  ':8787',
])('[ORIGIN.3] refuses the Host %j', (host) => {
  for (const origins of [[], ['https://allowed.com']])
    expect(gate(origins, [host])).toEqual({ allowed: false, code: 'host_forbidden' })
})

test('[ORIGIN.3] refuses a missing or duplicate Host', () => {
  for (const hosts of [[], ['localhost', 'localhost'], ['localhost', 'evil.com']])
    expect(gate([], hosts)).toEqual({ allowed: false, code: 'host_forbidden' })
})

test('[ORIGIN.3] accepts only localhost and addresses for a bridge without public addresses', () => {
  const { isOurHost, origins } = originPolicy([])
  for (const asked of ['first', 'again'])
    expect(['localhost', '127.0.0.1:8080', 'bridge.example', ''].map(isOurHost), asked).toEqual([
      true,
      true,
      false,
      false,
    ])
  expect([...origins]).toEqual([])
})

test('[ORIGIN.1] normalizes origins like browsers: no default port, no path, lower case', () => {
  const { origins, isOurHost } = originPolicy(['HTTPS://Bridge.Example:443/path'], ['http://a.example:80/'])
  expect([...origins]).toEqual(['https://bridge.example', 'http://a.example'])
  expect(['localhost', 'bridge.example', 'a.example'].map(isOurHost)).toEqual([true, true, false])
})

test.each([
  'bridge.example.com',
  'not a url',
  '',
  'localhost:8787',
  'chrome-extension://abc',
  'file:///x',
  'data:,x',
  'null',
])(
  '[ORIGIN.4] refuses %j as a web address, so that it never becomes the origin `null` of sandboxed pages',
  (text) => {
    expect(() => originPolicy([text])).toThrow(TypeError)
    expect(() => originPolicy([], [text])).toThrow(TypeError)
  },
)

test('[ORIGIN.5] accepts pages of each loopback name at its own port for a bridge on loopback', () => {
  const { origins } = originPolicy(['http://127.0.0.1:8787'])
  expect([...origins]).toEqual(['http://127.0.0.1:8787', 'http://localhost:8787', 'http://[::1]:8787'])
})
