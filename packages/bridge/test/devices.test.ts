import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { deviceName } from '../src/devices/device-registry.ts'
import { ReplayMemory } from '../src/tokens/replay.ts'
import {
  assertionClaims,
  assertionOf,
  BRIDGE_KEY,
  proofOf,
  rotationOf,
  signed,
  startDevices,
  testKey,
} from './support/device-world.ts'

const DAY_MS = 86_400_000

test.each(['EdDSA', 'ES256'] as const)(
  '[ENROL.1] enrols a machine with an %s key, and issues a token that is valid on the agents’ path',
  async (alg) => {
    const at = await startDevices()
    const key = testKey(alg)
    const token = await at.approval(key.keyId, { name: 'Ann’s  laptop\n' })
    const body = { name: 'another name', jwk: key.jwk, proof: await proofOf(key, token, at.url, at.system) }
    const { status, json } = await at.post('/api/devices', body, at.bearer(token))
    expect({ status, json }).toEqual({
      status: 200,
      json: {
        deviceId: expect.stringMatching(/^device_[0-9a-f]{32}$/),
        userId: 'ann',
        sessionId: expect.stringMatching(/^[0-9a-f]{32}$/),
        name: 'Ann’s laptop',
        keyId: key.keyId,
        generation: 1,
        bridgeKey: BRIDGE_KEY.jwk,
        bridgeKeyId: BRIDGE_KEY.keyId,
      },
    })
    const device = {
      deviceId: String(json.deviceId),
      userId: 'ann',
      sessionId: String(json.sessionId),
      keyId: key.keyId,
      key,
    }
    const answer = await at.post('/api/devices/token', { assertion: await assertionOf(device, at) })
    expect(answer).toMatchObject({
      status: 200,
      json: { token_type: 'Bearer', expires_in: expect.any(Number) },
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await at.tokens.authenticate(String(answer.json.access_token))).toMatchObject({
      allowed: true,
      value: { userId: 'ann', sessionId: device.sessionId, deviceId: device.deviceId, boundKeyId: key.keyId },
    })
    expect(at.events).toContainEqual(
      expect.objectContaining({
        event: 'device_enrolled',
        userId: 'ann',
        deviceId: device.deviceId,
        ip: '127.0.0.1',
      }),
    )
  },
)

test('[ENROL.2] returns the existing enrolment to a machine that was cut off and approved again', async () => {
  const at = await startDevices()
  const first = await at.enrolled()
  const again = await at.enrolled({ key: first.key })
  expect(again).toEqual(first)
  expect(await at.devices.ofUser('ann')).toHaveLength(1)
})

test('[ENROL.5] allows a user at most 32 machines', async () => {
  const at = await startDevices()
  for (let count = 0; count < 32; count++) await at.enrolled({ name: `machine ${count}` })
  expect(new Set((await at.devices.ofUser('ann')).map(({ sessionId }) => sessionId)).size).toBe(32)
  await expect(at.enrolled()).rejects.toThrow('too_many_devices')
  await at.enrolled({ userId: 'bob' })
})

test('[ENROL.5] keeps at most 32 of many concurrent enrolments', async () => {
  const at = await startDevices()
  for (let count = 0; count < 30; count++) await at.enrolled()
  const { ofUser } = at.devices
  const asked = Promise.withResolvers<void>()
  let left = 8
  Object.assign(at.devices, {
    // All of them count the machines before any is added.
    async ofUser(userId: string) {
      const theirs = await ofUser(userId)
      if (--left === 0) asked.resolve()
      await asked.promise
      return theirs
    },
  })
  await Promise.allSettled(Array.from({ length: 8 }, () => at.enrolled()))
  Object.assign(at.devices, { ofUser })
  expect((await at.devices.ofUser('ann')).length).toBeLessThanOrEqual(32)
})

test('[DEV.7] allows a device at most eight valid keys, and another once one retires', async () => {
  const system = new FakeSystem()
  const at = await startDevices(system)
  let device = await at.enrolled()
  const rotate = async (generation: number) => {
    const key = testKey()
    const answer = await at.post('/api/devices/key', await rotationOf(device, key, at, { generation }))
    if (answer.status === 200) device = { ...device, key }
    return answer
  }
  for (let generation = 2; generation <= 8; generation++) expect((await rotate(generation)).status).toBe(200)
  expect(await rotate(9)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' })
  system.advance(DAY_MS)
  expect((await rotate(9)).status).toBe(200)
})

test('[ENROL.3] accepts a name that is one clean, short line, or none', () => {
  expect(deviceName('  Ann’s\t\u0000MacBook\u202e \n Pro ')).toBe('Ann’s MacBook Pro')
  expect(deviceName('💻'.repeat(100))).toBe('💻'.repeat(64))
  for (const none of ['', ' \n\u200b ', undefined, 1, '\ud800']) expect(deviceName(none)).toBeUndefined()
})

test('[DEV.5] accepts a rotated key, and the old one for another day but not for a rotation', async () => {
  const system = new FakeSystem()
  const at = await startDevices(system)
  const device = await at.enrolled()
  const next = testKey()
  const rotation = await rotationOf(device, next, at)
  const answer = await at.post('/api/devices/key', rotation)
  expect(answer).toMatchObject({ status: 200, json: { keyId: next.keyId, generation: 2 } })
  const ask = async (key: typeof next) =>
    (await at.post('/api/devices/token', { assertion: await assertionOf({ ...device, key }, at) })).code ??
    'token'
  expect([await ask(next), await ask(device.key)]).toEqual(['token', 'token'])
  const third = await rotationOf(device, testKey(), at, { generation: 3 })
  expect(await at.post('/api/devices/key', third)).toMatchObject({
    status: 409,
    code: 'device_generation_wrong',
  })
  system.advance(DAY_MS)
  expect([await ask(next), await ask(device.key)]).toEqual(['token', 'device_unknown'])
  const current = { ...device, key: next }
  const good = await rotationOf(current, testKey('ES256'), at, { generation: 3 })
  expect(await at.post('/api/devices/key', good)).toMatchObject({ json: { generation: 3 } })
  expect(at.events.filter(({ event }) => event === 'device_key_rotated')).toHaveLength(2)
})

test('[DEV.3] issues no token to a revoked machine, an ended login or a suspended user', async () => {
  const at = await startDevices()
  const [revoked, ended, suspended] = [
    await at.enrolled(),
    await at.enrolled(),
    await at.enrolled({ userId: 'bob' }),
  ]
  await at.devices.revoke(revoked.deviceId, 0)
  await at.sessions.end(ended.sessionId)
  await at.users.setState('bob', 'suspended')
  const codes = await Promise.all(
    [revoked, ended, suspended].map(async (device) => {
      const { code, status } = await at.post('/api/devices/token', {
        assertion: await assertionOf(device, at),
      })
      return [status, code]
    }),
  )
  expect(codes).toEqual([
    [401, 'device_unknown'],
    [401, 'login_revoked'],
    [403, 'user_suspended'],
  ])
})

test('[DEV.4] accepts an assertion for another address of the bridge, and refuses one for a foreign address', async () => {
  const at = await startDevices()
  const device = await at.enrolled()
  const ask = async (aud: string) =>
    (await at.post('/api/devices/token', { assertion: await assertionOf(device, at, { aud }) })).code ??
    'token'
  expect(await ask('https://also.example.com/api/devices/token')).toBe('token')
  expect(await ask('https://evil.example.com/api/devices/token')).toBe('assertion_invalid')
})

test('[DEV.6] allows a device 30 requests a minute', async () => {
  const at = await startDevices(new FakeSystem())
  const device = await at.enrolled()
  const codes: unknown[] = []
  for (let count = 0; count < 31; count++) {
    const claims = { ...assertionClaims(device, at), jti: `jti-${count}` }
    const assertion = await signed(device.key, claims, { typ: 'device-assertion+jwt' })
    codes.push((await at.post('/api/devices/token', { assertion })).code)
  }
  expect(codes.slice(0, 30).every((code) => code === undefined)).toBe(true)
  expect(codes[30]).toBe('rate_limit_exceeded')
})

test('[DEV.6] keeps used assertions until they expire, and refuses new ones without room', () => {
  const memory = new ReplayMemory(2)
  expect([memory.take('a', 10, 0), memory.take('a', 10, 5), memory.take('b', 20, 5)]).toEqual([
    true,
    false,
    true,
  ])
  expect(memory.take('c', 20, 9)).toBe(false)
  expect(memory.take('c', 20, 10)).toBe(true)
  expect(memory.take('b', 20, 19)).toBe(false)
})
