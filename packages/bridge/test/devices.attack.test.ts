import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import {
  assertionClaims,
  assertionOf,
  type DeviceWorld,
  proofOf,
  rotationOf,
  signed,
  startDevices,
  type TestDevice,
  type TestKey,
  testKey,
} from './support/device-world.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('an enrolment', () => {
  /** Tries to enrol this key with this approval. */
  async function enrol(at: DeviceWorld, token: string, key: TestKey, proof?: string) {
    const body = { name: 'x', jwk: key.jwk, proof: proof ?? (await proofOf(key, token, at.url, at.system)) }
    return at.post('/api/devices', body, at.bearer(token))
  }

  test('[ENROL.1] with a used approval is refused, for the same key and for one of two at once', async () => {
    const at = await startDevices()
    const key = testKey()
    const token = await at.approval(key.keyId)
    const both = await Promise.all([enrol(at, token, key), enrol(at, token, key)])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 401])
    expect(await enrol(at, token, key)).toMatchObject({ status: 401, code: 'login_revoked' })
    expect(await at.devices.ofUser('ann')).toHaveLength(1)
  })

  test('[ENROL.1] of another key than the approved one is refused, and leaves the approval usable', async () => {
    const at = await startDevices()
    const [approved, thief] = [testKey(), testKey()]
    const token = await at.approval(approved.keyId)
    expect(await enrol(at, token, thief)).toMatchObject({ status: 403, code: 'device_key_mismatch' })
    expect(await enrol(at, token, approved)).toMatchObject({ status: 200 })
    expect(at.failed).toEqual([])
  })

  test('[ENROL.1] of another user’s device key is refused', async () => {
    const at = await startDevices()
    const anns = await at.enrolled()
    const token = await at.approval(anns.keyId, { userId: 'bob' })
    expect(await enrol(at, token, anns.key)).toMatchObject({ status: 409, code: 'device_key_known' })
    expect(await at.devices.ofUser('bob')).toEqual([])
    expect((await at.sessions.ofUser('bob')).filter(({ kind }) => kind === 'device')).toEqual([])
  })

  test('[ENROL.1] of a revoked key is refused, with any user’s approval', async () => {
    const at = await startDevices()
    const device = await at.enrolled()
    await at.devices.revoke(device.deviceId, 0)
    for (const userId of ['ann', 'bob']) {
      const token = await at.approval(device.keyId, { userId })
      expect(await enrol(at, token, device.key)).toMatchObject({ code: 'device_key_known' })
    }
  })

  const PROOFS: readonly (readonly [
    string,
    (at: DeviceWorld, key: TestKey, token: string) => Promise<string>,
  ])[] = [
    ['of another key', (at, _key, token) => proofOf(testKey(), token, at.url, at.system)],
    [
      'for another approval',
      async (at, key) => proofOf(key, await at.approval(key.keyId), at.url, at.system),
    ],
    ['for another bridge', (at, key, token) => proofOf(key, token, 'https://evil.example', at.system)],
    ['for another path', (at, key, token) => proofOf(key, token, at.url, at.system, {}, '/api/devices/key')],
    [
      'for two audiences',
      (at, k, t) => proofOf(k, t, at.url, at.system, { aud: [`${at.url}/api/devices`, 'x'] }),
    ],
    [
      'that is good for an hour',
      (at, k, t) => proofOf(k, t, at.url, at.system, { exp: Date.now() / 1_000 + 3_600 }),
    ],
    ['without an end', (at, k, t) => proofOf(k, t, at.url, at.system, { exp: undefined })],
    [
      'of another type',
      (at, key) => signed(key, { iss: key.keyId, aud: `${at.url}/api/devices` }, { typ: 'JWT' }),
    ],
    ['that is empty', async () => ''],
  ]
  test.each(PROOFS)('[DEV.2] with a proof %s is refused', async (_what, forge) => {
    const at = await startDevices()
    const key = testKey()
    const token = await at.approval(key.keyId)
    const answer = await enrol(at, token, key, await forge(at, key, token))
    expect(answer).toMatchObject({ status: 400, code: 'device_key_invalid' })
    expect(await at.devices.ofUser('ann')).toEqual([])
  })

  test('[ENROL.4] with another token, in a cookie, from a page, by another method or of another type is refused', async () => {
    const at = await startDevices()
    const device = await at.enrolled()
    const { json } = await at.post('/api/devices/token', { assertion: await assertionOf(device, at) })
    const key = testKey()
    const body = { name: 'x', jwk: key.jwk, proof: await proofOf(key, 't', at.url, at.system) }
    expect(await enrol(at, String(json.access_token), key)).toMatchObject({
      status: 401,
      code: 'token_invalid',
    })
    const token = await at.approval(key.keyId)
    const cookie = { cookie: `accessToken=${token}` }
    expect(await at.post('/api/devices', body, cookie)).toMatchObject({ status: 401, code: 'token_missing' })
    expect(await at.post('/api/devices', body, { ...cookie, ...at.bearer(token) })).toMatchObject({
      code: 'token_ambiguous',
    })
    expect(await at.post(`/api/devices?access_token=${token}`, body)).toMatchObject({ code: 'token_in_url' })
    const page = { ...at.bearer(token), origin: at.url }
    const answer = await at.post('/api/devices', body, page)
    expect(answer).toMatchObject({ status: 403, code: 'origin_forbidden' })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    expect(await at.send('/api/devices', { method: 'GET' })).toMatchObject({ status: 405 })
    const form = { 'content-type': 'text/plain', ...at.bearer(token) }
    expect(await at.post('/api/devices', body, form)).toMatchObject({ code: 'message_invalid' })
    expect(await at.post('/api/devices', 'x'.repeat(30_000))).toMatchObject({
      status: 413,
      code: 'body_too_large',
    })
    for (const nothing of ['', '[]', 'null', '{', '{"proof":1}'])
      expect(await at.post('/api/devices', nothing, at.bearer(token))).toMatchObject({
        code: 'message_invalid',
      })
  })
})

describe('an assertion', () => {
  type Forge = (device: TestDevice, at: DeviceWorld) => Promise<string> | string
  const typ = 'device-assertion+jwt'
  const FORGED: readonly (readonly [string, string, Forge])[] = [
    [
      'of another machine’s key',
      'device_unknown',
      async (d, at) => assertionOf({ ...d, key: (await at.enrolled()).key }, at),
    ],
    [
      'by another key under the right name',
      'device_unknown',
      (d, at) => signed(testKey(), assertionClaims(d, at), { typ, kid: d.keyId }),
    ],
    [
      'of a machine that is not there',
      'device_unknown',
      (d, at) => assertionOf({ ...d, deviceId: 'device_x' }, at),
    ],
    [
      'without a key’s name',
      'device_unknown',
      (d, at) => signed(d.key, assertionClaims(d, at), { typ, kid: undefined }),
    ],
    [
      'with alg none',
      'device_unknown',
      (d, at) => `${encode({ alg: 'none', typ, kid: d.keyId })}.${encode(assertionClaims(d, at))}.`,
    ],
    [
      'with the public key as an HMAC secret',
      'device_unknown',
      (d, at) => {
        const input = `${encode({ alg: 'HS256', typ, kid: d.keyId })}.${encode(assertionClaims(d, at))}`
        return `${input}.${createHmac('sha256', String(d.key.jwk.x)).update(input).digest('base64url')}`
      },
    ],
    [
      'with changed content',
      'device_unknown',
      async (d, at) => {
        const [head, , signature] = (await assertionOf(d, at)).split('.')
        return `${head}.${encode({ ...assertionClaims(d, at), jti: 'x' })}.${signature}`
      },
    ],
    [
      'with a key in its header',
      'device_unknown',
      (d, at) => signed(d.key, assertionClaims(d, at), { typ, jwk: d.key.jwk }),
    ],
    [
      'of another type',
      'assertion_invalid',
      (d, at) => signed(d.key, assertionClaims(d, at), { typ: 'JWT' }),
    ],
    [
      'that is a proof',
      'assertion_invalid',
      (d, at) => signed(d.key, assertionClaims(d, at), { typ: 'device-proof+jwt' }),
    ],
    [
      'for another path',
      'assertion_invalid',
      (d, at) => assertionOf(d, at, { aud: `${at.url}/api/devices/key` }),
    ],
    ['for the bridge as a whole', 'assertion_invalid', (d, at) => assertionOf(d, at, { aud: at.url })],
    [
      'for two audiences',
      'assertion_invalid',
      (d, at) => assertionOf(d, at, { aud: [`${at.url}/api/devices/token`, 'x'] }),
    ],
    ['for no audience', 'assertion_invalid', (d, at) => assertionOf(d, at, { aud: undefined })],
    ['for another subject', 'assertion_invalid', (d, at) => assertionOf(d, at, { sub: 'device_other' })],
    ['without an id', 'assertion_invalid', (d, at) => assertionOf(d, at, { jti: undefined })],
    ['with an endless id', 'assertion_invalid', (d, at) => assertionOf(d, at, { jti: 'x'.repeat(129) })],
    ['without an end', 'assertion_invalid', (d, at) => assertionOf(d, at, { exp: undefined })],
    ['without a begin', 'assertion_invalid', (d, at) => assertionOf(d, at, { iat: undefined })],
    [
      'good for 61 seconds',
      'assertion_invalid',
      (d, at) => assertionOf(d, at, { exp: at.system.nowMs() / 1_000 + 61 }),
    ],
    [
      'that is late',
      'clock_wrong',
      (d, at) => assertionOf(d, at, { iat: at.system.nowMs() / 1_000 - 60, exp: at.system.nowMs() / 1_000 }),
    ],
    [
      'from the future',
      'clock_wrong',
      (d, at) =>
        assertionOf(d, at, { iat: at.system.nowMs() / 1_000 + 61, exp: at.system.nowMs() / 1_000 + 100 }),
    ],
    ['that is not a JWT', 'device_unknown', () => 'x.y.z'],
    ['that is huge', 'device_unknown', (d, at) => assertionOf(d, at, { pad: 'x'.repeat(8_000) })],
  ]

  test.each(FORGED)('[DEV.4] %s is refused', async (_what, code, forge) => {
    const at = await startDevices(new FakeSystem())
    const device = await at.enrolled({ key: testKey('ES256') })
    const answer = await at.post('/api/devices/token', { assertion: await forge(device, at) })
    expect(answer).toMatchObject({ status: 401, code })
    expect(at.failed).toEqual([])
    expect(await at.post('/api/devices/token', { assertion: await assertionOf(device, at) })).toMatchObject({
      status: 200,
    })
  })

  test('[DEV.4] is accepted once, also of two at once', async () => {
    const at = await startDevices()
    const device = await at.enrolled()
    const assertion = await assertionOf(device, at)
    const ask = () => at.post('/api/devices/token', { assertion })
    expect((await Promise.all([ask(), ask(), ask()])).map(({ status }) => status).sort()).toEqual([
      200, 401, 401,
    ])
    expect(await ask()).toMatchObject({ code: 'assertion_invalid' })
  })
})

describe('a rotation', () => {
  type Forge = (device: TestDevice, at: DeviceWorld) => Promise<{ assertion: string; proof: string }>
  const FORGED: readonly (readonly [string, string, Forge])[] = [
    ['by a stranger', 'device_unknown', (d, at) => rotationOf({ ...d, key: testKey() }, testKey(), at)],
    [
      'by another machine of the user',
      'device_unknown',
      async (d, at) => rotationOf({ ...d, key: (await at.enrolled()).key }, testKey(), at),
    ],
    [
      'that skips a generation',
      'device_generation_wrong',
      (d, at) => rotationOf(d, testKey(), at, { generation: 3 }),
    ],
    [
      'that keeps the generation',
      'device_generation_wrong',
      (d, at) => rotationOf(d, testKey(), at, { generation: 1 }),
    ],
    [
      'without a generation',
      'device_generation_wrong',
      (d, at) => rotationOf(d, testKey(), at, { generation: undefined }),
    ],
    ['to the key that it is', 'device_key_known', (d, at) => rotationOf(d, d.key, at)],
    [
      'to a key of another',
      'device_key_known',
      async (d, at) => rotationOf(d, (await at.enrolled({ userId: 'bob' })).key, at),
    ],
    ['without a key', 'device_key_invalid', (d, at) => rotationOf(d, testKey(), at, { jwk: undefined })],
    [
      'to a private key',
      'device_key_invalid',
      (d, at) => {
        const next = testKey()
        return rotationOf(d, next, at, { jwk: next.privateKey.export({ format: 'jwk' }) })
      },
    ],
    [
      'to a key that the caller does not hold',
      'device_key_invalid',
      (d, at) => rotationOf(d, testKey(), at, { jwk: testKey().jwk }),
    ],
    [
      'with the proof of another rotation',
      'device_key_invalid',
      async (d, at) => {
        const next = testKey()
        const [one, other] = [await rotationOf(d, next, at), await rotationOf(d, next, at)]
        return { assertion: one.assertion, proof: other.proof }
      },
    ],
    [
      'by what was signed for a token',
      'assertion_invalid',
      async (d, at) => ({ ...(await rotationOf(d, testKey(), at)), assertion: await assertionOf(d, at) }),
    ],
  ]
  test.each(FORGED)('[DEV.5] %s is refused, and the key stays', async (_what, code, forge) => {
    const at = await startDevices()
    const device = await at.enrolled()
    expect((await at.post('/api/devices/key', await forge(device, at))).code).toBe(code)
    expect((await at.devices.find(device.deviceId))?.keys.map(({ keyId }) => keyId)).toEqual([device.keyId])
  })

  test('[DEV.5] is accepted once, also of two at once', async () => {
    const at = await startDevices()
    const device = await at.enrolled()
    const rotations = [await rotationOf(device, testKey(), at), await rotationOf(device, testKey(), at)]
    const answers = await Promise.all(rotations.map((rotation) => at.post('/api/devices/key', rotation)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    for (const rotation of rotations)
      expect(await at.post('/api/devices/key', rotation)).not.toMatchObject({ status: 200 })
    expect((await at.devices.find(device.deviceId))?.keys).toHaveLength(2)
  })
})

test('[ENROL.4] allows an address 120 requests a minute, and logs at most 20 refusals', async () => {
  const at = await startDevices(new FakeSystem())
  const answers = await Promise.all(
    Array.from({ length: 130 }, () => at.post('/api/devices/token', { assertion: 'x.y.z' })),
  )
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(10)
  expect(answers.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('60')
  expect(
    at.events.filter(
      (event) => event.event === 'device_request_refused' && event.reason === 'device_unknown',
    ),
  ).toHaveLength(20)
})
