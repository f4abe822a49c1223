import { expect, test } from 'vitest'
import { OwnAddresses } from '../../src/gates/own-addresses.ts'

const PATH = '/api/mcp-ws'
const socket = (localAddress: string, localPort = 8787, encrypted = false) => ({
  localAddress,
  localPort,
  encrypted,
})
const origins = (publicUrls: readonly string[], end: ReturnType<typeof socket>) =>
  new OwnAddresses(publicUrls, PATH).at(end).map(({ origin }) => origin)

test('[PROOF.4] uses the public URLs that agents dial, with their path, whatever the socket', () => {
  const addresses = new OwnAddresses(['https://bridge.example.com', 'https://a.example:8443/under/'], PATH)
  const expected = [
    { origin: 'https://bridge.example.com', path: '/api/mcp-ws' },
    { origin: 'https://a.example:8443', path: '/under/api/mcp-ws' },
  ]
  expect(addresses.at(socket('10.0.0.1'))).toEqual(expected)
  expect(addresses.at(socket('127.0.0.1', 443, true))).toEqual(expected)
  expect(() => new OwnAddresses(['nonsense'], PATH)).toThrow(TypeError)
})

test('[PROOF.4] without public URLs, uses the socket’s local address in one spelling', () => {
  expect(new OwnAddresses([], PATH).at(socket('10.0.0.1'))).toEqual([
    { origin: 'http://10.0.0.1:8787', path: PATH },
  ])
  expect(origins([], socket('10.0.0.1', 80))).toEqual(['http://10.0.0.1'])
  expect(origins([], socket('10.0.0.1', 443, true))).toEqual(['https://10.0.0.1'])
  expect(origins([], socket('::ffff:10.0.0.1'))).toEqual(['http://10.0.0.1:8787'])
  expect(origins([], socket('fd00:0::1'))).toEqual(['http://[fd00::1]:8787'])
})

test('[PROOF.4] adds localhost for a loopback address', () => {
  expect(origins([], socket('127.0.0.1'))).toEqual(['http://127.0.0.1:8787', 'http://localhost:8787'])
  expect(origins([], socket('::1', 443, true))).toEqual(['https://[::1]', 'https://localhost'])
  expect(origins([], socket('127.8.0.1'))).toContain('http://localhost:8787')
  expect(origins([], socket('::1:5'))).toEqual(['http://[::1:5]:8787'])
  expect(origins([], socket('12.7.0.1'))).toEqual(['http://12.7.0.1:8787'])
})

test('[PROOF.4] has no address for a closed socket, and one for each socket in turn', () => {
  expect(new OwnAddresses([], PATH).at({})).toEqual([])
  const addresses = new OwnAddresses([], PATH)
  const [a, b] = [socket('10.0.0.1'), socket('10.0.0.2')]
  expect([a, b, a, a].map((end) => addresses.at(end)[0]?.origin)).toEqual([
    'http://10.0.0.1:8787',
    'http://10.0.0.2:8787',
    'http://10.0.0.1:8787',
    'http://10.0.0.1:8787',
  ])
  expect(addresses.at(a)).toBe(addresses.at(a))
})

test('[PROOF.4] [ORIGIN.5] accepts each loopback name for a public URL on loopback', () => {
  expect(origins(['http://127.0.0.1:8787'], socket('127.0.0.1'))).toEqual([
    'http://127.0.0.1:8787',
    'http://localhost:8787',
    'http://[::1]:8787',
  ])
})
