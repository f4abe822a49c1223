import { generateKeyPairSync } from 'node:crypto'
import { bridgeSigned, type Proof } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { type Changes, keyIdOf, makeKey, prove, TestDevice } from '../../../../test/support/devices.ts'
import { type ExpectedProof, provableKeys, verifyProof } from '../../src/gates/proof.ts'
import type { Device, DeviceKey } from '../../src/ports/devices.ts'

const CHALLENGE = 'ab'.repeat(32)
const URL = 'https://bridge.example.com'
const bridgeKeyId = keyIdOf(generateKeyPairSync('ed25519').privateKey)
const exporter = Buffer.alloc(32, 9)

function setUp(
  algorithm: DeviceKey['algorithm'] = 'Ed25519',
  change: Partial<ExpectedProof['connection']> = {},
) {
  const device = new TestDevice(
    { userId: 'u', sessionId: 's', deviceId: 'd' },
    'token',
    makeKey(3, algorithm),
  )
  const expected: ExpectedProof = {
    purpose: 'connect',
    connection: {
      connectionId: 'c',
      offeredSubprotocols: 'bridgekeeper.v2',
      dialled: [
        { origin: 'https://other.example.com', path: '/other/api/mcp-ws' },
        { origin: URL, path: '/api/mcp-ws' },
      ],
      exporter: undefined,
      ...change,
    },
    userId: 'u',
    sessionId: 's',
    deviceId: 'd',
    keys: [makeKey(4).public, device.key.public],
    bridgeKeyId,
    tokenHash: 'PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A',
  }
  const challenge = {
    type: 'challenge',
    challenge: CHALLENGE,
    proof: { connectionId: 'c', keyId: bridgeKeyId },
  }
  const made = (changes: Changes = {}) => prove(device, challenge, URL, changes)
  const check = (changes: Changes = {}, tampered: Partial<Proof> = {}) =>
    verifyProof(expected, CHALLENGE, { ...made(changes).proof, ...tampered })
  return { device, expected, made, check }
}

const denied = (detail: string) => ({ allowed: false, code: 'proof_failed', detail })

test.each(['Ed25519', 'ES256'] as const)(
  '[PROOF.3] [PROOF.12] accepts a signature of %s over the bridge’s facts, and returns the text to countersign',
  (algorithm) => {
    const { made, expected } = setUp(algorithm)
    const proof = made({ previous: 'before' })
    expect(verifyProof(expected, CHALLENGE, proof.proof)).toEqual({
      allowed: true,
      value: { previous: 'before', countersigned: bridgeSigned(proof.transcript, proof.signature) },
    })
  },
)

test('[PROOF.13] binds an exporter where TLS ends here, by its type and value', () => {
  const bound = { bindingType: 'tls-exporter' as const, bindingValue: exporter }
  const tls = setUp('Ed25519', { exporter: exporter.toString('base64url') })
  expect(tls.check(bound)).toMatchObject({ allowed: true })
  expect(tls.check()).toEqual(denied('signature'))
  expect(tls.check({ ...bound, bindingValue: Buffer.alloc(32, 8) })).toEqual(denied('signature'))
  expect(tls.check({ bindingType: 'none', bindingValue: exporter })).toEqual(denied('signature'))
  expect(setUp().check(bound)).toEqual(denied('signature'))
})

const bytes = Buffer.alloc(32, 1)
test.each<[string, Changes]>(
  Object.entries({
    purpose: { purpose: 'renew' },
    subprotocols: { offeredSubprotocols: 'bridgekeeper.v2, bridgekeeper.v1' },
    'no subprotocols': { offeredSubprotocols: '' },
    origin: { origin: 'https://bridge.example.com:8443' },
    scheme: { origin: 'http://bridge.example.com' },
    path: { path: '/api/mcp-ws/' },
    'origin and path of two addresses': { origin: 'https://other.example.com' },
    connection: { connectionId: 'd' },
    challenge: { challenge: bytes },
    user: { userId: 'v' },
    session: { sessionId: 't' },
    device: { deviceId: 'e' },
    'key of the device, signed with another': { keyId: 'f' },
    generation: { generation: 2 },
    'key of the bridge': { bridgeKeyId: 'f' },
    token: { tokenHash: bytes },
    'binding type': { bindingType: 'tls-exporter' },
    'binding value': { bindingValue: bytes },
  }),
)('[PROOF.3] refuses a proof of changed facts: %s', (_what, changes) => {
  const { check, device } = setUp()
  const isRight = { keyId: device.key.public.keyId }
  expect(check(changes, isRight)).toEqual(denied('signature'))
})

test('[PROOF.3] covers the device’s own nonce, previous connection and key by the signature', () => {
  const { check, expected } = setUp()
  expect(check({}, { nonce: bytes.toString('base64url') })).toEqual(denied('signature'))
  expect(check({}, { previous: 'another' })).toEqual(denied('signature'))
  expect(check({}, { keyId: String(expected.keys[0]?.keyId) })).toEqual(denied('signature'))
  expect(check({}, { keyId: bridgeKeyId })).toEqual(denied('key'))
})

test('[PROOF.3] refuses a nonce or signature in another encoding', () => {
  const { check, made } = setUp()
  const { nonce, signature } = made().proof
  // 43 and 86 characters hold two and four bits more than the bytes do.
  const otherEnd = (text: string) => text.slice(0, -1) + (text.endsWith('B') ? 'C' : 'B')
  expect(check({}, { nonce: otherEnd(nonce) })).toEqual(denied('nonce'))
  expect(check({}, { signature: otherEnd(signature) })).toEqual(denied('signature'))
  expect(check({}, { signature: Buffer.alloc(64).toString('base64url') })).toEqual(denied('signature'))
})

test('[PROOF.3] refuses every proof if the bridge has no address', () => {
  expect(setUp('Ed25519', { dialled: [] }).check()).toEqual(denied('signature'))
})

const principal = { userId: 'u', sessionId: 's', deviceId: 'd', expiresAtMs: 0 }
const key = (keyId: string, generation: number, retiresAtMs?: number): DeviceKey => ({
  ...{ keyId, generation, algorithm: 'Ed25519', jwk: '{}' },
  ...(retiresAtMs !== undefined && { retiresAtMs }),
})
const enrolled = (...keys: DeviceKey[]): Device => ({
  ...{ deviceId: 'd', userId: 'u', sessionId: 's', name: '', keys, createdAtMs: 0, usedAtMs: 0 },
})
const idsAt = (nowMs: number, device: Device | undefined, boundKeyId?: string) => {
  const bound = boundKeyId === undefined ? {} : { boundKeyId }
  const verdict = provableKeys({ ...principal, ...bound }, device, nowMs)
  return verdict.allowed ? verdict.value.map(({ keyId }) => keyId) : verdict.code
}

test('[PROOF.5] accepts the device’s current key, and replaced ones until they retire', () => {
  const device = enrolled(key('new', 2), key('old', 1, 100))
  expect(idsAt(99, device)).toEqual(['new', 'old'])
  expect(idsAt(100, device)).toEqual(['new'])
  expect(idsAt(0, enrolled(key('old', 1, 0)))).toBe('device_unknown')
  expect(idsAt(0, enrolled())).toBe('device_unknown')
})

test('[PROOF.5] refuses a key older than the token’s, and accepts a newer one', () => {
  const device = enrolled(key('new', 2), key('old', 1, 100))
  expect(idsAt(0, device, 'new')).toEqual(['new'])
  expect(idsAt(0, device, 'old')).toEqual(['new', 'old'])
  expect(idsAt(100, device, 'old')).toBe('device_unknown')
  expect(idsAt(0, device, 'strange')).toBe('device_unknown')
})

test('[PROOF.5] finds no key for an unknown device or another user, session or device', () => {
  expect(idsAt(0, undefined)).toBe('device_unknown')
  for (const other of [{ userId: 'v' }, { sessionId: 't' }, { deviceId: 'e' }])
    expect(idsAt(0, { ...enrolled(key('k', 1)), ...other })).toBe('device_unknown')
})
