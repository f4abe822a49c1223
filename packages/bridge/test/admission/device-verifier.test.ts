import { createHash, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { makeKey, TokenTable } from '../../../../test/support/devices.ts'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { DeviceVerifier } from '../../src/admission/device-verifier.ts'
import { OwnAddresses } from '../../src/gates/own-addresses.ts'
import type { DeviceStore } from '../../src/ports/devices.ts'
import type { Principal } from '../../src/ports.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'
import { memoryDevices } from '../support/identity-stores.ts'

const key = generateKeyPairSync('ed25519').privateKey
const FIRST = makeKey(1).public
const ANN: Principal = {
  userId: 'ann',
  sessionId: 's1',
  deviceId: 'd1',
  expiresAtMs: 0,
  boundKeyId: FIRST.keyId,
}
const DEVICE = {
  deviceId: 'd1',
  userId: 'ann',
  sessionId: 's1',
  name: 'laptop',
  keys: [FIRST],
  createdAtMs: 0,
  usedAtMs: 0,
}
const CHANNEL = {
  offeredSubprotocols: 'bridgekeeper.v2',
  localAddress: '10.0.0.1',
  localPort: 80,
  exporter: () => undefined,
}

async function setUp() {
  const system = new FakeSystem()
  const store = { ...memoryDevices() }
  await store.add(DEVICE)
  const events: SecurityEvent[] = []
  const log = {
    logSecurityEvent: (event: SecurityEvent) => void events.push(event),
    afterWritten: () => {},
    writable: true,
  }
  const tokens = new TokenTable()
  const addresses = new OwnAddresses([], '/api/mcp-ws')
  const devices = new DeviceVerifier({
    devices: store as DeviceStore,
    key,
    addresses,
    authenticator: tokens,
    log,
    system,
  })
  const begun = async (principal = ANN) => {
    const verdict = await devices.begin(principal, 'token', CHANNEL)
    if (!verdict.allowed) throw new Error(verdict.code)
    return verdict.value
  }
  return { system, store, events, tokens, devices, begun }
}

test('[PROOF.1] refuses to start unless the bridge’s key is private and Ed25519', async () => {
  const { publicKey } = generateKeyPairSync('ed25519')
  const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const wrong of [publicKey, other]) {
    expect(
      () => new DeviceVerifier({ key: wrong } as unknown as ConstructorParameters<typeof DeviceVerifier>[0]),
    ).toThrow(new TypeError("The bridge's key is not a private Ed25519 key."))
  }
})

test('[PROOF.3] takes a device’s facts from the bridge only, and issues them once', async () => {
  const { devices, begun } = await setUp()
  const [one, other] = [await begun(), await begun()]
  expect(one.connectionId).toMatch(/^[\w-]{22}$/)
  expect(one.connectionId).not.toBe(other.connectionId)
  const { bridgeKeyId, ...expected } = one.begin() ?? {}
  expect(bridgeKeyId).toMatch(/^[\w-]{43}$/)
  expect(expected).toEqual({
    purpose: 'connect',
    connection: {
      connectionId: one.connectionId,
      offeredSubprotocols: 'bridgekeeper.v2',
      dialled: [{ origin: 'http://10.0.0.1', path: '/api/mcp-ws' }],
      exporter: undefined,
    },
    userId: 'ann',
    sessionId: 's1',
    deviceId: 'd1',
    deviceName: 'laptop',
    keys: [FIRST],
    tokenHash: 'PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A',
  })
  expect(one.begin()).toBeUndefined()
  expect(await devices.begin({ ...ANN, deviceId: 'd2' }, 'token', CHANNEL)).toMatchObject({
    code: 'device_unknown',
  })
  const { deviceId: _none, ...without } = ANN
  expect(await devices.begin(without, 'token', CHANNEL)).toMatchObject({ code: 'device_unknown' })
})

test('[PROOF.5] accepts a key until it retires, over two rotations, and no older one again', async () => {
  const { system, store, begun } = await setUp()
  const second = makeKey(2).public
  const third = makeKey(3).public
  const { boundKeyId: _bound, ...unbound } = ANN
  const keysNow = async (principal: Principal) =>
    (await begun(principal)).begin()?.keys.map(({ generation }) => generation)
  await store.rotate('d1', second, system.nowMs() + 1_000)
  expect(await keysNow(unbound)).toEqual([2, 1])
  await store.rotate('d1', third, system.nowMs() + 60_000)
  expect(await keysNow(unbound)).toEqual([3, 2, 1])
  system.advance(1_000)
  expect(await keysNow(unbound)).toEqual([3, 2])
  await expect(keysNow(ANN)).rejects.toThrow('device_unknown')
  expect(await keysNow({ ...ANN, boundKeyId: third.keyId })).toEqual([3])
  system.advance(59_000)
  expect(await keysNow(unbound)).toEqual([3])
})

test('[PROOF.10] renews with the device’s current state, and binds the token proven last', async () => {
  const { store, tokens, begun } = await setUp()
  const proofs = await begun()
  tokens.principals.set('fresh', { ...ANN, expiresAtMs: 5 })
  const first = await proofs.renewal(ANN, undefined)
  expect(first).toMatchObject({
    value: { expected: { purpose: 'renew', tokenHash: proofs.begin()?.tokenHash } },
  })
  if (first.allowed) expect(first.value.principal).toBeUndefined()
  const fresh = await proofs.renewal(ANN, 'fresh')
  if (!fresh.allowed) throw new Error(fresh.code)
  expect(fresh.value.principal).toEqual({ ...ANN, expiresAtMs: 5 })
  const freshHash = createHash('sha256').update('fresh').digest('base64url')
  expect(fresh.value.expected.tokenHash).toBe(freshHash)
  // Asked for, and not yet proven.
  expect(await proofs.renewal(ANN, undefined)).toEqual(first)
  proofs.renewed(fresh.value.expected)
  expect(await proofs.renewal(ANN, undefined)).toMatchObject({
    value: { expected: { tokenHash: freshHash } },
  })
  await store.revoke('d1', 0)
  for (const token of [undefined, 'fresh'])
    expect(await proofs.renewal(ANN, token)).toMatchObject({ code: 'device_unknown' })
})

test.each<[string, Partial<Principal>, string]>([
  ['of another user', { userId: 'bob' }, 'token_invalid'],
  ['of another session', { sessionId: 's2' }, 'token_invalid'],
  ['of another device', { deviceId: 'd2' }, 'token_invalid'],
  ['for another resource', { resource: 'https://b/mcp' }, 'token_invalid'],
  ['that may not connect', { scopes: ['tools:list'] }, 'scope_insufficient'],
])('[PROOF.11] refuses a fresh token %s', async (_what, changes, code) => {
  const { tokens, begun } = await setUp()
  const proofs = await begun()
  tokens.principals.set('fresh', { ...ANN, ...changes })
  expect(await proofs.renewal(ANN, 'fresh')).toMatchObject({ allowed: false, code })
  expect(await proofs.renewal(ANN, 'none')).toMatchObject({ allowed: false, code: 'token_invalid' })
})

test('[PROOF.9] resumes a device from its last connection repeatedly, and revokes it for a copy', async () => {
  const { store, events, begun } = await setUp()
  let previous = ''
  for (let time = 0; time < 3; time++) {
    const proofs = await begun()
    expect(await proofs.confirm(ANN, previous, undefined)).toEqual({ allowed: true, value: undefined })
    previous = proofs.connectionId
  }
  expect(events).toEqual([])
  expect(await (await begun()).confirm(ANN, 'elsewhere', undefined)).toMatchObject({
    code: 'device_key_copied',
  })
  expect(events).toEqual([{ event: 'device_key_copied', userId: 'ann', deviceId: 'd1' }])
  expect(await store.find('d1')).toBeUndefined()
})

test('[PROOF.9] detects a copy that lacks what the device must know, and does not treat a revoked device as one', async () => {
  const { store, events, begun } = await setUp()
  const first = await begun()
  await first.confirm(ANN, '', undefined)
  const again = await begun()
  expect(await again.confirm(ANN, first.connectionId, first.connectionId)).toMatchObject({ allowed: true })
  const late = await begun()
  // The store still has it, but the device has stored a later one.
  expect(await late.confirm(ANN, first.connectionId, again.connectionId)).toMatchObject({
    code: 'device_key_copied',
  })
  expect(events).toHaveLength(1)
  await store.revoke('d1', 0)
  expect(await late.confirm(ANN, '', undefined)).toMatchObject({ code: 'device_unknown' })
  expect(events).toHaveLength(1)
})

test('[PROOF.9] refuses a copy when the store fails to revoke it, and revokes it at the next attempt', async () => {
  const { store, begun } = await setUp()
  const { revoke } = store
  store.revoke = () => Promise.reject(new Error('down'))
  await expect((await begun()).confirm(ANN, 'elsewhere', undefined)).rejects.toThrow('down')
  store.revoke = revoke
  expect(await (await begun()).confirm(ANN, 'elsewhere', undefined)).toMatchObject({
    code: 'device_key_copied',
  })
})
