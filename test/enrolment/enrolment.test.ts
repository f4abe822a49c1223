import { type AgentEvent, bridgeAddress, ensureEnrolled, realSystem, type System } from '@bridgekeeper/agent'
import { keyWords } from '@bridgekeeper/protocol'
import { describe, expect, test, vi } from 'vitest'
import { BRIDGE_KEY } from '../../packages/bridge/test/support/device-world.ts'
import { type ApprovingBridge, sendJson, startApprovingBridge } from './approving-bridge.ts'
import { codeOf, enrolledMachine, machine } from './machine.ts'

/** How long the agent waits for one answer. */
const ANSWER_MS = 15_000

test.each([
  ['https://bridge.example.com', 'https://bridge.example.com'],
  ['https://BRIDGE.example.com:443/', 'https://bridge.example.com'],
  ['wss://bridge.example.com/api/mcp-ws', 'https://bridge.example.com'],
  ['https://example.com/base/', 'https://example.com/base'],
  ['http://127.0.0.1:8787', 'http://127.0.0.1:8787'],
])('[LINKUP.1] reads the address %s as the bridge at %s', (given, bridge) => {
  expect(bridgeAddress(given, false)).toBe(bridge)
})

describe('enrolment of a machine', () => {
  test('[LINKUP.1] enrols a new key, shows its words, and reuses the record', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = mine.enrol()
    const asked = await at.request()
    expect(Object.fromEntries(asked.form)).toEqual({
      client_id: 'bridgekeeper-agent',
      scope: 'device:enroll',
      resource: `${at.url}/api/devices`,
      device_name: 'laptop',
      device_key: expect.stringMatching(/^[\w-]{43}$/),
    })
    const keyId = asked.form.get('device_key') ?? ''
    await vi.waitFor(() => expect(mine.events).toHaveLength(1))
    expect(mine.events).toEqual([
      {
        type: 'enrolment-waiting',
        bridge: at.url,
        name: 'laptop',
        userCode: asked.userCode,
        verificationUri: `${at.url}/device`,
        verificationUriComplete: `${at.url}/device?user_code=${asked.userCode}`,
        keyWords: keyWords(keyId),
        expiresInMs: expect.any(Number),
      },
    ])
    await at.approve(asked)
    const record = await enrolling
    const [device] = await at.devices.ofUser('ann')
    expect(record).toMatchObject({
      deviceId: device?.deviceId,
      userId: 'ann',
      name: 'laptop',
      keyId,
      previous: '',
    })
    expect(mine.events.at(-1)).toMatchObject({ type: 'enrolled', name: 'laptop', keyStore: 'file' })
    expect(await mine.enrol()).toEqual(record)
    expect(at.asked).toHaveLength(1)
  })

  test('[LINKUP.1] recovers from a lost answer with the same key and one more approval', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = mine.enrol()
    let lost = 0
    await at.approve(await at.request())
    // The bridge does as asked, and the network fails before it can say so.
    at.before.unshift((request, response) => {
      if (request.url !== '/api/devices' || lost++ > 0) return false
      void at.parts(request).then(() => response.destroy())
      return true
    })
    await at.approve(await at.request(2))
    const record = await enrolling
    expect((await at.devices.ofUser('ann')).map(({ deviceId }) => deviceId)).toEqual([record.deviceId])
  })

  test('[LINKUP.2] polls as slowly as the bridge asks, and retries after network failures', async () => {
    const at = await startApprovingBridge()
    const waits: number[] = []
    const hasty: System = {
      ...realSystem,
      schedule: (delayMs, run) => {
        waits.push(delayMs)
        // The waits between two questions are cut short; the time for an answer is not.
        return realSystem.schedule(delayMs === ANSWER_MS ? delayMs : Math.min(delayMs, 100), run)
      },
    }
    const mine = machine(at, hasty)
    const enrolling = mine.enrol()
    const asked = await at.request()
    at.answers.set(asked.deviceCode, [400, { error: 'slow_down' }])
    await vi.waitFor(() => expect(waits).toContain(5_050))
    at.odd.set('/oauth/token', (response) => response.destroy())
    const before = waits.length
    await vi.waitFor(() => expect(Math.max(...waits.slice(before))).toBeGreaterThan(ANSWER_MS))
    at.odd.clear()
    await at.approve(asked)
    await enrolling
    const pauses = waits.filter((waitMs) => waitMs !== ANSWER_MS)
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b))
    expect(pauses[0]).toBe(50)
  })

  test('[LINKUP.2] polls at once if the receiver of the event approved it itself, and fails if that failed', async () => {
    const at = await startApprovingBridge()
    /** No interval ends. */
    const patient: System = {
      ...realSystem,
      schedule: (delayMs, run) => (delayMs === ANSWER_MS ? realSystem.schedule(delayMs, run) : () => {}),
    }
    const { keychain, abort } = machine(at, patient)
    const enrol = (approve: () => Promise<unknown>) => {
      const onEvent = async ({ type }: AgentEvent) => {
        if (type === 'enrolment-waiting') await approve()
      }
      return ensureEnrolled(
        { keychain, system: patient, onEvent },
        { bridge: at.url, name: 'laptop' },
        abort.signal,
      )
    }
    await expect(enrol(() => Promise.reject(new Error('no form')))).rejects.toThrow('no form')
    expect(await enrol(async () => at.approve(await at.request()))).toMatchObject({ state: 'enrolled' })
  })

  test('[LINKUP.2] asks for another code when one expires, up to three times', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = codeOf(mine.enrol())
    for (const count of [1, 2, 3]) {
      const error = count === 1 ? 'expired_token' : 'invalid_grant'
      at.answers.set((await at.request(count)).deviceCode, [400, { error }])
    }
    expect(await enrolling).toBe('enrolment_expired')
    expect(new Set(at.asked.map(({ form }) => form.get('device_key'))).size).toBe(1)
  })

  test('[LINKUP.2] fails when the user refuses', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = codeOf(mine.enrol())
    at.answers.set((await at.request()).deviceCode, [400, { error: 'access_denied' }])
    expect(await enrolling).toBe('enrolment_denied')
  })

  test('[LINKUP.3] stops on request, and resumes with the code that was approved since', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = mine.enrol().catch(() => 'stopped')
    const asked = await at.request()
    // The request is stored once the user is asked.
    await vi.waitFor(() => expect(mine.events).toHaveLength(1))
    mine.abort.abort()
    expect(await enrolling).toBe('stopped')
    await at.approve(asked)
    const again = machine(at, realSystem, mine.home)
    expect(await again.enrol()).toMatchObject({ state: 'enrolled', keyId: asked.form.get('device_key') })
    expect(at.asked).toHaveLength(1)
  })

  test('[LINKUP.3] enrols once when two processes enrol at once', async () => {
    const at = await startApprovingBridge()
    const one = machine(at)
    const two = machine(at, realSystem, one.home)
    const both = Promise.all([one.enrol(), two.enrol()])
    await at.approve(await at.request())
    if (at.asked.length > 1) await at.approve(await at.request(2))
    const [first, second] = await both
    expect(first).toEqual(second)
    expect(await at.devices.ofUser('ann')).toHaveLength(1)
  })

  test('[LINKUP.3] starts over with a new key on request', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    const before = await mine.record()
    const again = mine.enrol({ again: true, name: 'desktop' })
    await at.approve(await at.request(2))
    const after = await again
    expect(after.keyId).not.toBe(before.keyId)
    expect(after).toMatchObject({ name: 'desktop' })
  })

  test('[LINKUP.3] uses another key after the bridge refused one as known', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = codeOf(mine.enrol())
    const asked = await at.request()
    const keyId = asked.form.get('device_key') ?? ''
    await at.devices.add({
      ...{ deviceId: 'd', userId: 'bob', sessionId: 's', name: 'n', createdAtMs: 0, usedAtMs: 0 },
      keys: [{ keyId, algorithm: 'Ed25519', generation: 1, jwk: '{}' }],
    })
    await at.approve(asked)
    expect(await enrolling).toBe('device_key_known')
    const again = mine.enrol()
    await at.approve(await at.request(2))
    expect((await again).keyId).not.toBe(keyId)
  })
})

describe('a misbehaving bridge', () => {
  const WELL_KNOWN = '/.well-known/oauth-authorization-server'
  const meta = (at: ApprovingBridge, changes: object) => ({
    issuer: at.url,
    device_authorization_endpoint: `${at.url}/oauth/device`,
    token_endpoint: `${at.url}/oauth/token`,
    ...changes,
  })
  const flow = (at: ApprovingBridge, changes: object) => ({
    ...{ device_code: 'd', user_code: 'CODE-1000', verification_uri: `${at.url}/device`, expires_in: 60 },
    ...changes,
  })
  const elsewhere = 'https://evil.example'
  type Odd = readonly [string, string, string, (at: ApprovingBridge) => object]
  const ODD: readonly Odd[] = [
    ['names another issuer', 'bridge_misnamed', WELL_KNOWN, (at) => meta(at, { issuer: elsewhere })],
    [
      'issues tokens elsewhere',
      'enrolment_unavailable',
      WELL_KNOWN,
      (at) => meta(at, { token_endpoint: `${elsewhere}/t` }),
    ],
    [
      'has no device flow',
      'enrolment_unavailable',
      WELL_KNOWN,
      (at) => meta(at, { device_authorization_endpoint: undefined }),
    ],
    ['says nothing', 'bridge_not_found', WELL_KNOWN, () => []],
    [
      'sends its users elsewhere',
      'answer_unusable',
      '/oauth/device',
      (at) => flow(at, { verification_uri: elsewhere }),
    ],
    [
      'sends its users to a program',
      'answer_unusable',
      '/oauth/device',
      (at) => flow(at, { verification_uri: 'file:///bin/sh' }),
    ],
    [
      'has a code that acts on a terminal',
      'answer_unusable',
      '/oauth/device',
      (at) => flow(at, { user_code: '\u001b[2J' }),
    ],
  ]
  test.each(ODD)('[LINKUP.6] stops enrolment at a bridge that %s', async (_what, code, path, json) => {
    const at = await startApprovingBridge()
    at.odd.set(path, (response) => sendJson(response, 200, json(at)))
    const mine = machine(at)
    expect(await codeOf(mine.enrol())).toBe(code)
    expect(mine.events).toEqual([])
  })

  test('[LINKUP.6] asks nothing of a bridge that redirects, answers endlessly or stays silent', async () => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    at.odd.set(WELL_KNOWN, (response) =>
      response.writeHead(302, { location: `${at.url}/oauth/device` }).end(),
    )
    expect(await codeOf(mine.enrol())).toBe('answer_unusable')
    at.odd.set(WELL_KNOWN, (response) => response.writeHead(200).end(`{"x":"${'x'.repeat(100_000)}"}`))
    expect(await codeOf(mine.enrol())).toBe('bridge_unreachable')
    at.odd.set(WELL_KNOWN, (response) => response.destroy())
    expect(await codeOf(mine.enrol())).toBe('bridge_unreachable')
    const impatient: System = { ...realSystem, schedule: (_delayMs, run) => realSystem.schedule(200, run) }
    at.odd.set(WELL_KNOWN, () => {})
    expect(await codeOf(machine(at, impatient).enrol())).toBe('bridge_unreachable')
    expect(at.asked).toEqual([])
  })

  const ANSWERS: readonly (readonly [string, object])[] = [
    ['another device key', { keyId: 'x'.repeat(43) }],
    ['a bridge key that does not match its id', { bridgeKeyId: 'x'.repeat(43) }],
    ['a private key', { bridgeKey: { ...BRIDGE_KEY.jwk, d: BRIDGE_KEY.jwk.x } }],
    ['no device', { deviceId: undefined }],
    ['a name that acts on a terminal', { name: '\u001b[2J' }],
    ['a later generation', { generation: 2 }],
  ]
  test.each(ANSWERS)('[LINKUP.6] refuses an enrolment answered with %s', async (_what, changes) => {
    const at = await startApprovingBridge()
    const mine = machine(at)
    const enrolling = codeOf(mine.enrol())
    const asked = await at.request()
    at.odd.set('/api/devices', (response) =>
      sendJson(response, 200, {
        ...{ deviceId: 'd', userId: 'ann', sessionId: 's', name: 'n', generation: 1 },
        ...{ keyId: asked.form.get('device_key'), bridgeKey: BRIDGE_KEY.jwk },
        bridgeKeyId: BRIDGE_KEY.keyId,
        ...changes,
      }),
    )
    await at.approve(asked)
    expect(await enrolling).toBe('answer_unusable')
    expect(await mine.record()).toMatchObject({ state: 'pending' })
  })
})
