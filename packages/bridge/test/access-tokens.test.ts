import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { deny, denyGenuine } from '../src/gates/verdict.ts'
import { memoryUsers } from '../src/memory.ts'
import type { Device } from '../src/ports/devices.ts'
import type { LoginSession, Session } from '../src/ports/sessions.ts'
import type { User } from '../src/ports.ts'
import { AccessTokens } from '../src/tokens/access-tokens.ts'
import { loadSigningKey } from '../src/tokens/signing-key.ts'
import { memoryDevices, memoryKeys, memorySessions } from './support/identity-stores.ts'

const ISSUER = 'https://bridge.example.com'
const system = new FakeSystem()
const key = await loadSigningKey(memoryKeys(), Buffer.alloc(32, 1), system)
const other = await loadSigningKey(memoryKeys(), Buffer.alloc(32, 1), system)
const KEY_ID = 'k'.repeat(43)
const ann: User = { userId: 'ann', email: 'a@x.example', tokenVersion: 3, createdAtMs: 0, state: 'active' }
const bob: User = { ...ann, userId: 'bob', email: 'b@x.example' }

const session = (
  sessionId: string,
  kind: LoginSession['kind'],
  more: Partial<LoginSession> = {},
): LoginSession => ({
  sessionId,
  userId: 'ann',
  kind,
  label: '',
  createdAtMs: 0,
  seenAtMs: 0,
  expiresAtMs: 4e12,
  ...more,
})

const device: Device = {
  deviceId: 'd1',
  userId: 'ann',
  sessionId: 'sd',
  name: 'laptop',
  keys: [{ keyId: KEY_ID, algorithm: 'ES256', generation: 1, jwk: '{}' }],
  createdAtMs: 0,
  usedAtMs: 0,
}

/** @param extra further sessions @param machine replaces the usual device */
function world(extra: readonly Session[] = [], machine: Device = device, clock = system) {
  const users = memoryUsers([ann, bob])
  const sessions = memorySessions([
    session('sc', 'client', { clientId: 'https://app.example' }),
    session('se', 'client', { clientId: 'bridgekeeper-agent' }),
    session('sd', 'device', { deviceId: 'd1' }),
    session('sb', 'browser'),
    session('so', 'client', { expiresAtMs: 1 }),
    ...extra,
  ])
  const devices = memoryDevices([machine])
  return {
    users,
    sessions,
    devices,
    tokens: new AccessTokens({ key, issuer: ISSUER, users, sessions, devices, system: clock }),
  }
}

const CLIENT = {
  sub: 'ann',
  sid: 'sc',
  tv: 3,
  client_id: 'https://app.example',
  scope: 'tools:list openid',
  aud: `${ISSUER}/mcp`,
  iss: ISSUER,
  jti: 'j',
}
const ENROLMENT = {
  ...CLIENT,
  sid: 'se',
  client_id: 'bridgekeeper-agent',
  scope: 'device:enroll',
  aud: `${ISSUER}/api/devices`,
  device_name: 'laptop',
  device_key: KEY_ID,
}
const DEVICE = {
  ...CLIENT,
  sid: 'sd',
  client_id: 'bridgekeeper-agent',
  scope: 'agent:connect',
  aud: `${ISSUER}/api/mcp-ws`,
  did: 'd1',
  cnf: { jkt: KEY_ID },
}

function sign(claims: object, header: object = {}, signer = key): Promise<string> {
  const nowSeconds = Math.floor(system.nowMs() / 1_000)
  return new SignJWT({ iat: nowSeconds, exp: nowSeconds + 60, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: signer.keyId, ...header })
    .sign(signer.privateKey)
}

test('[RS.1] returns user, session, scopes and resource of a valid token, and caches it until it is forgotten', async () => {
  const { tokens } = world()
  const token = await sign(CLIENT)
  const principal = {
    userId: 'ann',
    sessionId: 'sc',
    expiresAtMs: system.nowMs() + 60_000,
    scopes: ['tools:list'],
    resource: `${ISSUER}/mcp`,
  }
  expect(await tokens.authenticate(token)).toStrictEqual({ allowed: true, value: principal })
  expect(tokens.recall(token)).toStrictEqual(principal)
  tokens.forget({ kind: 'session', id: 'sc' })
  expect(tokens.recall(token)).toBeUndefined()
  const bound = await tokens.authenticate(await sign({ ...CLIENT, cnf: { jkt: KEY_ID } }))
  expect(bound).toMatchObject({ value: { boundKeyId: KEY_ID } })
  const one = await tokens.authenticate(await sign({ ...CLIENT, aud: `${ISSUER}/mcp/my%20files` }))
  expect(one).toMatchObject({ value: { resource: `${ISSUER}/mcp/my%20files` } })
})

test.each<[string, object, object?]>([
  ['another issuer', { iss: 'https://evil.example' }],
  ['several audiences', { aud: [`${ISSUER}/mcp`] }],
  ['no audience', { aud: undefined }],
  ['the issuer as audience', { aud: ISSUER }],
  ['an audience with a slash more', { aud: `${ISSUER}/mcp/` }],
  ['an audience under a server', { aud: `${ISSUER}/mcp/a/b` }],
  ['an audience that is not written as we do', { aud: `${ISSUER}/mcp/%61` }],
  ['an audience that cannot be decoded', { aud: `${ISSUER}/mcp/%ff` }],
  ['an audience with a query', { aud: `${ISSUER}/mcp?x` }],
  ['an audience of a longer name', { aud: `${ISSUER}.evil.example/mcp` }],
  ['another type', {}, { typ: 'JWT' }],
  ['no type', {}, { typ: undefined }],
  ['no session', { sid: undefined }],
  ['a session that is not a string', { sid: 7 }],
  ['no scope', { scope: undefined }],
  ['a scope that is a list', { scope: ['tools:list'] }],
  ['no version', { tv: undefined }],
  ['no client', { client_id: undefined }],
  ['no id', { jti: undefined }],
  ['a confirmation of another kind', { cnf: { 'x5t#S256': KEY_ID } }],
  ['two confirmations', { cnf: { jkt: KEY_ID, kid: 'x' } }],
  ['an invalid confirmation', { cnf: { jkt: 'short' } }],
  ['a confirmation that is not an object', { cnf: 'x' }],
  ['another key under our id', {}, { kid: key.keyId, foreign: true }],
])('[RS.1] refuses a token with %s', async (_what, claims, header: { foreign?: boolean } = {}) => {
  const { foreign, ...rest } = header
  const token = await sign({ ...CLIENT, ...claims }, rest, foreign ? other : key)
  expect(await world().tokens.authenticate(token)).toMatchObject({ code: 'token_invalid' })
})

test.each([
  { sub: 7 },
  { sub: ['ann'] },
  { sid: 7 },
  { sid: ['sc'] },
  { tv: '3' },
  { tv: [3] },
  { cnf: { jkt: [KEY_ID] } },
  { cnf: { jkt: `${KEY_ID}k` } },
])('[RS.1] refuses a token with %j before any look-up', async (claims) => {
  const { users, sessions, devices } = world()
  const never = () => Promise.reject(new Error('looked up'))
  const tokens = new AccessTokens({
    ...{ key, issuer: ISSUER, devices, system },
    users: { ...users, findById: never },
    sessions: { ...sessions, find: never },
  })
  expect(await tokens.authenticate(await sign({ ...CLIENT, ...claims }))).toEqual(
    denyGenuine('token_invalid'),
  )
  await expect(tokens.authenticate(await sign(CLIENT))).rejects.toThrow('looked up')
})

test('[RS.2] reports an ended login at once', async () => {
  const at = system.nowMs()
  const { tokens } = world([
    session('s1', 'client', { expiresAtMs: at }),
    session('s2', 'client', { expiresAtMs: at + 1 }),
  ])
  const ask = async (claims: object) => tokens.authenticate(await sign({ ...CLIENT, ...claims }))
  expect(await ask({ tv: 2 })).toEqual(deny('login_revoked'))
  expect(await ask({ sid: 's1' })).toEqual(deny('login_revoked'))
  expect(await ask({ sid: 's2' })).toMatchObject({ allowed: true })
})

test('[RS.2] records the use of a session once a minute', async () => {
  const clock = new FakeSystem()
  const startMs = clock.nowMs()
  const { tokens, sessions } = world([session('s1', 'client', { seenAtMs: startMs })], device, clock)
  const use = async () => {
    await tokens.authenticate(await sign({ ...CLIENT, sid: 's1', exp: startMs }))
    return ((await sessions.find('s1'))?.seenAtMs ?? 0) - startMs
  }
  clock.advance(59_999)
  expect(await use()).toBe(0)
  clock.advance(1)
  expect(await use()).toBe(60_000)
})

test('[RS.2] refuses ended sessions, cached or not', async () => {
  const { tokens, sessions, users } = world()
  const token = await sign(CLIENT)
  await sessions.end('sc')
  expect(await tokens.authenticate(token)).toMatchObject({ code: 'login_revoked' })
  expect(tokens.recall(token)).toBeUndefined()
  await users.setState('ann', 'suspended')
  expect(await tokens.authenticate(await sign(DEVICE))).toMatchObject({ code: 'user_suspended' })
  await users.setState('ann', 'active')
  await users.raiseTokenVersion('ann')
  expect(await tokens.authenticate(await sign(DEVICE))).toMatchObject({ code: 'login_revoked' })
  expect(await tokens.authenticate(await sign({ ...CLIENT, sub: 'nobody' }))).toMatchObject({
    code: 'user_unknown',
  })
})

test.each<[string, object, string]>([
  ["another user's session", { sub: 'bob' }, 'login_revoked'],
  ["a browser's session", { sid: 'sb' }, 'token_invalid'],
  ["a device's session", { sid: 'sd' }, 'token_invalid'],
  ['a session that ran out', { sid: 'so' }, 'login_revoked'],
])('[RS.2] refuses a client token with %s', async (_what, claims, code) => {
  const token = await sign({ ...CLIENT, ...claims })
  expect(await world().tokens.authenticate(token)).toMatchObject({ code })
})

test('[RS.2] refuses the token of a revoked device, and one for a key it does not have', async () => {
  const { tokens, devices, users } = world()
  const { accessToken } = await tokens.deviceToken({
    user: ann,
    sessionId: 'sd',
    deviceId: 'd1',
    keyId: KEY_ID,
  })
  expect(await tokens.authenticate(accessToken)).toMatchObject({
    value: { userId: 'ann', deviceId: 'd1', boundKeyId: KEY_ID, resource: `${ISSUER}/api/mcp-ws` },
  })
  const otherKey = await sign({ ...DEVICE, cnf: { jkt: 'x'.repeat(43) } })
  expect(await tokens.authenticate(otherKey)).toEqual(deny('login_revoked'))
  for (const claims of [{ cnf: undefined }, { did: 'd2' }, { did: undefined }, { sid: 'sc' }])
    expect(await tokens.authenticate(await sign({ ...DEVICE, ...claims }))).toEqual(
      denyGenuine('token_invalid'),
    )
  await devices.revoke('d1', 0)
  expect(await tokens.authenticate(await sign(DEVICE))).toEqual(deny('login_revoked'))
  expect(await users.findById('ann')).toBeDefined()
})

test.each<[string, string, Session, Device]>([
  [
    'its session is of another device',
    'token_invalid',
    session('s1', 'device', { deviceId: 'd2' }),
    { ...device, sessionId: 's1' },
  ],
  ['it has another session', 'login_revoked', session('s1', 'device', { deviceId: 'd1' }), device],
  [
    'its session is a client’s',
    'token_invalid',
    session('s1', 'client', { deviceId: 'd1' }),
    { ...device, sessionId: 's1' },
  ],
  [
    'it is another user’s',
    'login_revoked',
    session('s1', 'device', { deviceId: 'd1' }),
    { ...device, sessionId: 's1', userId: 'bob' },
  ],
])('[RS.2] refuses a device’s token: %s', async (_what, code, its, machine) => {
  const { tokens } = world([its], machine)
  expect(await tokens.authenticate(await sign({ ...DEVICE, sid: 's1' }))).toMatchObject({
    allowed: false,
    code,
  })
})

test('[RS.2] binds a device token to any valid key of its device, for 15 minutes', async () => {
  const [current] = device.keys
  const newer = { ...current, keyId: 'n'.repeat(43), generation: 2 } as Device['keys'][number]
  const { tokens } = world([], { ...device, keys: [newer, ...device.keys] })
  const login = { user: ann, sessionId: 'sd', deviceId: 'd1' }
  for (const { keyId } of [newer, ...device.keys]) {
    const { accessToken, expiresAtMs } = await tokens.deviceToken({ ...login, keyId })
    expect(expiresAtMs).toBe(system.nowMs() + 900_000)
    expect(await tokens.authenticate(accessToken)).toStrictEqual({
      allowed: true,
      value: {
        userId: 'ann',
        sessionId: 'sd',
        expiresAtMs,
        scopes: [
          'agent:connect',
          'tools:list',
          'tools:call:*/*',
          'prompts:read',
          'resources:read',
          'completion:use',
        ],
        resource: `${ISSUER}/api/mcp-ws`,
        deviceId: 'd1',
        boundKeyId: keyId,
      },
    })
  }
})

test('[RS.3] accepts an enrolment token of the agent’s client in its one place, bound or not', async () => {
  const { tokens } = world()
  const bound = await tokens.verifyEnrolment(await sign({ ...ENROLMENT, cnf: { jkt: KEY_ID } }))
  const enrolment = { userId: 'ann', sessionId: 'se', deviceName: 'laptop', deviceKey: KEY_ID }
  expect(bound).toStrictEqual({ allowed: true, value: { ...enrolment, boundKeyId: KEY_ID } })
  for (const claims of [
    { aud: `${ISSUER}/mcp` },
    { aud: `${ISSUER}/api/mcp-ws` },
    { sid: 'sc' },
    { device_key: [KEY_ID] },
    { device_key: `${KEY_ID}k` },
    { device_name: 7 },
  ])
    expect(await tokens.verifyEnrolment(await sign({ ...ENROLMENT, ...claims }))).toEqual(
      denyGenuine('token_invalid'),
    )
})

test('[RS.3] accepts an enrolment token for enrolment only, and no other token there', async () => {
  const { tokens, sessions } = world()
  const token = await sign(ENROLMENT)
  expect(await tokens.verifyEnrolment(token)).toStrictEqual({
    allowed: true,
    value: { userId: 'ann', sessionId: 'se', deviceName: 'laptop', deviceKey: KEY_ID },
  })
  expect(await tokens.authenticate(token)).toMatchObject({ code: 'token_invalid' })
  for (const claims of [CLIENT, DEVICE]) {
    expect(await tokens.verifyEnrolment(await sign(claims))).toMatchObject({ code: 'token_invalid' })
    const renamed = await sign({ ...claims, aud: ENROLMENT.aud })
    expect(await tokens.verifyEnrolment(renamed)).toMatchObject({ code: 'token_invalid' })
  }
  for (const claims of [
    { device_key: 'x' },
    { device_name: undefined },
    { scope: 'device:enroll tools:list' },
  ])
    expect(await tokens.verifyEnrolment(await sign({ ...ENROLMENT, ...claims }))).toMatchObject({
      code: 'token_invalid',
    })
  await sessions.end('se')
  expect(await tokens.verifyEnrolment(token)).toMatchObject({ code: 'login_revoked' })
})
