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

test('[PROOF.4] public URLs are what agents dial, with their path, whatever the socket is', () => {
  const addresses = new OwnAddresses(['https://bridge.example.com', 'https://a.example:8443/under/'], PATH)
  const expected = [
    { origin: 'https://bridge.example.com', path: '/api/mcp-ws' },
    { origin: 'https://a.example:8443', path: '/under/api/mcp-ws' },
  ]
  expect(addresses.at(socket('10.0.0.1'))).toEqual(expected)
  expect(addresses.at(socket('127.0.0.1', 443, true))).toEqual(expected)
  expect(() => new OwnAddresses(['nonsense'], PATH)).toThrow(TypeError)
})

test('[PROOF.4] without them it is the address at which the socket arrived, in one way of writing it', () => {
  expect(new OwnAddresses([], PATH).at(socket('10.0.0.1'))).toEqual([
    { origin: 'http://10.0.0.1:8787', path: PATH },
  ])
  expect(origins([], socket('10.0.0.1', 80))).toEqual(['http://10.0.0.1'])
  expect(origins([], socket('10.0.0.1', 443, true))).toEqual(['https://10.0.0.1'])
  expect(origins([], socket('::ffff:10.0.0.1'))).toEqual(['http://10.0.0.1:8787'])
  expect(origins([], socket('fd00:0::1'))).toEqual(['http://[fd00::1]:8787'])
})

test('[PROOF.4] the machine itself also knows this address as localhost', () => {
  expect(origins([], socket('127.0.0.1'))).toEqual(['http://127.0.0.1:8787', 'http://localhost:8787'])
  expect(origins([], socket('::1', 443, true))).toEqual(['https://[::1]', 'https://localhost'])
  expect(origins([], socket('127.8.0.1'))).toContain('http://localhost:8787')
  expect(origins([], socket('::1:5'))).toEqual(['http://[::1:5]:8787'])
  expect(origins([], socket('12.7.0.1'))).toEqual(['http://12.7.0.1:8787'])
})

test('[PROOF.4] of a socket that is gone there is no address, and of one after another each has its own', () => {
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

test('[PROOF.4] [ORIGIN.5] a public URL at the machine itself is dialled by each name of the machine', () => {
  expect(origins(['http://127.0.0.1:8787'], socket('127.0.0.1'))).toEqual([
    'http://127.0.0.1:8787',
    'http://localhost:8787',
    'http://[::1]:8787',
  ])
})
