import { createTokens, memoryUsers, realSystem, type UserStore } from '@bridgekeeper/bridge'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { assertionOf, startDevices } from '../../packages/bridge/test/support/device-world.ts'
import { DEVICE_KEY, startAccessBridge } from '../support/access.ts'
import { LIST } from '../support/attacker.ts'
import { SECRET, startBridge, type TestBridge, user } from '../support/bridge.ts'
import { hmacToken, partsOf } from '../support/forge.ts'
import { bearer, post } from '../support/mcp.ts'
import { tryUpgrade } from '../support/raw.ts'

/** More than enough failures to block an address. */
const TRIES = 11

/** The codes with which both doors refuse this token, which is tried often enough to block a guesser. */
async function insist(at: TestBridge, token: string, path = '/mcp'): Promise<string[]> {
  const codes = new Set<string>()
  for (let count = 0; count < TRIES; count++) {
    codes.add(String((await post(at, path, LIST, bearer(token))).json?.error?.data?.code))
    codes.add(String((await tryUpgrade(at, { token })).code))
  }
  return [...codes]
}

test.each<[string, string, string, (users: UserStore) => Promise<unknown>]>([
  ['was logged out everywhere', 'login_revoked', 'ann', (users) => users.raiseTokenVersion('user_ann')],
  ['was suspended', 'user_suspended', 'ann', (users) => users.setState('user_ann', 'suspended')],
  ['is not there any more', 'user_unknown', 'eve', async () => {}],
])(
  '[ADDR.5] a token whose user %s is refused with %s, without blocking the address',
  async (_what, code, name, end) => {
    const users = memoryUsers([user('ann'), user('bob')])
    const at = await startBridge({ authenticator: createTokens(SECRET, users, realSystem()) })
    const [ended, bobs] = await Promise.all([at.token(name), at.token('bob')])
    await end(users)
    expect(await insist(at, ended.accessToken)).toEqual([code])
    expect((await post(at, '/mcp', LIST, bearer(bobs.accessToken))).status).toBe(200)
  },
)

test.each<[string, object, object]>([
  ['another type', {}, { typ: 'id_token+jwt' }],
  ['another audience', { aud: 'https://other.example' }, {}],
  ['no session', { sid: undefined }, {}],
])(
  '[ADDR.5] refuses a token of %s with our signature, without blocking the address',
  async (_what, claims, header) => {
    const at = await startBridge()
    const { accessToken } = await at.token('ann')
    const mine = partsOf(accessToken)
    const token = hmacToken({ ...mine.header, ...header }, { ...mine.claims, ...claims }, SECRET)
    expect(await insist(at, token)).toEqual(['token_invalid'])
    expect((await post(at, '/mcp', LIST, bearer(accessToken))).status).toBe(200)
  },
)

test('[ADDR.5] refuses OAuth tokens of an ended session, another resource or another kind, without blocking the address', async () => {
  const at = await startAccessBridge()
  const good = await at.sign()
  const ended = await at.sign({ ...at.kinds.client, sid: 'ended' })
  const bound = await at.sign({ ...at.kinds.client, cnf: { jkt: DEVICE_KEY } })
  expect(await insist(at, ended)).toEqual(['login_revoked'])
  expect(await insist(at, good, '/mcp/files')).toEqual(['token_invalid'])
  expect(await insist(at, await at.sign(at.kinds.enrolment))).toEqual(['token_invalid'])
  expect(await insist(at, await at.sign(at.kinds.device))).toEqual(['token_invalid', 'proof_required'])
  expect(await insist(at, bound)).toEqual(['dpop_proof_invalid', 'token_invalid'])
  const withDpop = { authorization: `DPoP ${good}` }
  for (let count = 0; count < TRIES; count++)
    expect((await post(at, '/mcp', LIST, withDpop)).json.error.data.code).toBe('token_invalid')
  expect((await post(at, '/mcp', LIST, bearer(good))).status).toBe(200)
})

test('[ADDR.5] refuses a provider’s token of a revoked login or for another service, without blocking the address', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }
  const names = { issuer: 'https://login.example', audience: 'https://bridge.example' }
  const at = await startBridge({ authenticator: undefined, jwks: { keys: [jwk] }, ...names })
  const sign = (sid: string, audience = names.audience) =>
    new SignJWT({ sub: 'ann', sid, iss: names.issuer, aud: audience })
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
  await at.bridge.revoke({ kind: 'session', id: 's1' })
  expect(await insist(at, await sign('s1'))).toEqual(['login_revoked'])
  expect(await insist(at, await sign('s1', 'https://other.example'))).toEqual(['token_invalid'])
  expect((await post(at, '/mcp', LIST, bearer(await sign('s2')))).status).toBe(200)
})

test('[ADDR.5] treats a token that the app accepted before and refuses now as one of an ended login', async () => {
  const loggedIn = new Set(['anns', 'bobs'])
  const at = await startBridge({
    authenticator: undefined,
    authenticate: (token) => (loggedIn.has(token) ? { userId: token, sessionId: token } : undefined),
  })
  expect((await post(at, '/mcp', LIST, bearer('anns'))).status).toBe(200)
  loggedIn.delete('anns')
  await at.bridge.revoke({ kind: 'session', id: 'anns' })
  expect(await insist(at, 'anns')).toEqual(['login_revoked'])
  expect((await post(at, '/mcp', LIST, bearer('bobs'))).status).toBe(200)
  expect(await insist(at, 'guess')).toEqual(['token_invalid', 'address_blocked'])
})

test('[ADDR.5] [ENROL.4] does not count requests of a revoked device or with a spent approval as failures', async () => {
  const at = await startDevices()
  const device = await at.enrolled()
  await at.devices.revoke(device.deviceId, 0)
  const approval = await at.approval(device.keyId)
  await at.sessions.end(partsOf(approval).claims.sid as string)
  const enrol = () => at.post('/api/devices', { name: 'x', jwk: {}, proof: 'x' }, at.bearer(approval))
  for (let count = 0; count < TRIES; count++) {
    const assertion = await assertionOf(device, at)
    expect(await at.post('/api/devices/token', { assertion })).toMatchObject({ code: 'device_unknown' })
    expect(await enrol()).toMatchObject({ code: 'login_revoked' })
  }
  expect(at.failed).toEqual([])
  await at.post('/api/devices', { name: 'x', jwk: {}, proof: 'x' }, at.bearer('a.b.c'))
  expect(at.failed).toHaveLength(1)
})
