import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { createTokens, memoryUsers, type User } from '@bridgekeeper/bridge'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'

const SECRET = randomBytes(32)
const ANN: User = {
  userId: 'user_ann',
  email: 'ann@example.com',
  tokenVersion: 3,
  createdAtMs: 0,
  state: 'active',
}

function setUp(users = memoryUsers([ANN])) {
  const system = new FakeSystem()
  return { system, tokens: createTokens(SECRET, users, system) }
}

const GOOD_CLAIMS = { iss: 'bridgekeeper', aud: 'bridgekeeper', sub: 'user_ann', sid: 's', tv: 3, jti: 'j' }

function jwt(
  system: FakeSystem,
  claims: object = {},
  header: object = {},
  key: Uint8Array = SECRET,
): Promise<string> {
  const nowSeconds = Math.floor(system.nowMs() / 1_000)
  return new SignJWT({ ...GOOD_CLAIMS, iat: nowSeconds, exp: nowSeconds + 60, ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header })
    .sign(key)
}

test('[AUTH.4] accepts its own token and returns its user, until it expires', async () => {
  const { system, tokens } = setUp()
  const issued = await tokens.issue(ANN, 60_000)
  const verdict = await tokens.authenticate(issued.accessToken)
  expect(verdict).toMatchObject({ allowed: true, value: { userId: 'user_ann', sessionId: issued.sessionId } })
  system.advance(61_000)
  expect(await tokens.authenticate(issued.accessToken)).toMatchObject({ code: 'token_expired' })
})

test('[AUTH.4] gives each login its own session, not derived from time', async () => {
  const { tokens } = setUp()
  const [first, second] = await Promise.all([tokens.issue(ANN, 1_000), tokens.issue(ANN, 1_000)])
  expect(first.sessionId).not.toBe(second.sessionId)
})

test('[AUTH.5] accepts a token made by the test itself, so that each change below is refused for itself', async () => {
  const { system, tokens } = setUp()
  expect(await tokens.authenticate(await jwt(system))).toMatchObject({ allowed: true })
})

test.each<[string, object, object]>([
  ['another type', {}, { typ: 'JWT' }],
  ['no type', {}, { typ: undefined }],
  ['another algorithm of the same key', {}, { alg: 'HS512' }],
  ['an unknown critical header', {}, { crit: ['x'], x: 1 }],
  ['another issuer', { iss: 'elsewhere' }, {}],
  ['another audience', { aud: 'elsewhere' }, {}],
  ['no subject', { sub: undefined }, {}],
  ['no session', { sid: undefined }, {}],
  ['a subject of another kind', { sub: undefined, sid: 5 }, {}],
  ['no expiry', { exp: undefined }, {}],
  ['no id', { jti: undefined }, {}],
  ['a start in the future', { nbf: 4_000_000_000 }, {}],
])('[AUTH.5] refuses a signed token with %s', async (_what, claims, header) => {
  const { system, tokens } = setUp()
  const token = await jwt(system, claims, header).catch(() => unsignable(header))
  expect(await tokens.authenticate(token)).toMatchObject({ allowed: false, code: 'token_invalid' })
})

test('[AUTH.5] refuses a missing, foreign or cut signature, or one of another algorithm', async () => {
  const { system, tokens } = setUp()
  const good = await jwt(system)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const none = `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const foreign = new SignJWT(GOOD_CLAIMS)
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
    .sign(privateKey)
  const forged = [
    none,
    `${header}.${payload}.`,
    `${header}.${payload}.${signature.slice(0, -2)}`,
    `${header}.${encode({ ...GOOD_CLAIMS, sub: 'user_bob', exp: 4_000_000_000 })}.${signature}`,
    await jwt(system, {}, {}, randomBytes(32)),
    await foreign,
    'not.a.jwt',
    'x'.repeat(100_000),
  ]
  for (const token of forged) {
    expect(await tokens.authenticate(token), token.slice(0, 40)).toMatchObject({
      allowed: false,
      code: 'token_invalid',
    })
  }
})

test('[AUTH.6] refuses the token of an unknown user', async () => {
  const { tokens } = setUp(memoryUsers())
  expect(await tokens.authenticate((await tokens.issue(ANN, 60_000)).accessToken)).toMatchObject({
    code: 'user_unknown',
  })
})

test('[AUTH.7] refuses tokens from before the token version was raised', async () => {
  const { tokens } = setUp(memoryUsers([{ ...ANN, tokenVersion: 4 }]))
  expect(await tokens.authenticate((await tokens.issue(ANN, 60_000)).accessToken)).toMatchObject({
    code: 'login_revoked',
  })
})

test('[AUTH.8] caches a verified token for five seconds, and never an invalid or expired one', async () => {
  const { system, tokens } = setUp()
  const { accessToken } = await tokens.issue(ANN, 8_000)
  expect(tokens.recall(accessToken)).toBeUndefined()
  await tokens.authenticate(accessToken)
  await tokens.authenticate('not.a.jwt')
  expect(tokens.recall('not.a.jwt')).toBeUndefined()
  system.advance(4_900)
  expect(tokens.recall(accessToken)).toMatchObject({ userId: 'user_ann' })
  system.advance(200)
  expect(tokens.recall(accessToken)).toBeUndefined()
  await tokens.authenticate(accessToken)
  system.advance(3_000)
  expect(tokens.recall(accessToken)).toBeUndefined()
})

test('[AUTH.12] refuses a suspended user, and accepts the same token once resumed', async () => {
  const users = memoryUsers([ANN])
  const { tokens } = setUp(users)
  const { accessToken } = await tokens.issue(ANN, 60_000)
  await users.setState(ANN.userId, 'suspended')
  expect(await tokens.authenticate(accessToken)).toMatchObject({ code: 'user_suspended' })
  expect(tokens.recall(accessToken)).toBeUndefined()
  await users.setState(ANN.userId, 'active')
  expect(await tokens.authenticate(accessToken)).toMatchObject({ allowed: true })
})

test('[AUTH.13] drops a forgotten user from the cache, and no others', async () => {
  const bob: User = { ...ANN, userId: 'user_bob', email: 'bob@example.com' }
  const { tokens } = setUp(memoryUsers([ANN, bob]))
  const [one, two, bobs] = await Promise.all([ANN, ANN, bob].map((user) => tokens.issue(user, 60_000)))
  for (const issued of [one, two, bobs]) await tokens.authenticate(issued?.accessToken ?? '')
  tokens.forget({ kind: 'user', id: ANN.userId })
  expect([one, two, bobs].map((issued) => tokens.recall(issued?.accessToken ?? '')?.userId)).toEqual([
    undefined,
    undefined,
    'user_bob',
  ])
})

test('[AUTH.13] does not cache a user that changed since it was read', async () => {
  const users = memoryUsers([ANN])
  const [read, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const slow = {
    ...users,
    async findById(userId: string) {
      const user = await users.findById(userId)
      read.resolve()
      await answer.promise
      return user
    },
  }
  const { tokens } = setUp(slow)
  const { accessToken } = await tokens.issue(ANN, 60_000)
  const verdict = tokens.authenticate(accessToken)
  await read.promise
  tokens.forget({ kind: 'user', id: ANN.userId })
  answer.resolve()
  expect(await verdict).toMatchObject({ allowed: true })
  expect(tokens.recall(accessToken)).toBeUndefined()
})

test('[AUTH.14] gives the principal the scopes that the token was issued with', async () => {
  const { system, tokens } = setUp()
  const scopes = ['tools:list', 'tools:call:memory/*']
  const limited = await tokens.issue(ANN, 60_000, scopes)
  expect(await tokens.authenticate(limited.accessToken)).toMatchObject({ value: { scopes } })
  const free = await tokens.authenticate((await tokens.issue(ANN, 60_000)).accessToken)
  expect(free.allowed && free.value.scopes).toBeUndefined()
  const none = await tokens.authenticate(await jwt(system, { scope: '' }))
  expect(none).toMatchObject({ value: { scopes: [] } })
  expect(await tokens.authenticate(await jwt(system, { scope: ['tools:list'] }))).toMatchObject({
    code: 'token_invalid',
  })
})

test('[AUTH.5] accepts a start up to a minute ahead, and no later', async () => {
  const { system, tokens } = setUp()
  const ahead = async (seconds: number, name: string) =>
    tokens.authenticate(await jwt(system, { [name]: Math.floor(system.nowMs() / 1_000) + seconds }))
  for (const name of ['iat', 'nbf']) {
    expect(await ahead(59, name), name).toMatchObject({ allowed: true })
    expect(await ahead(62, name), name).toMatchObject({ code: 'token_invalid' })
  }
})

test.each<[string, object]>([
  ['jku', { jku: 'https://evil.example/jwks' }],
  ['jwk', { jwk: { kty: 'oct', k: 'AAAA' } }],
  ['x5u', { x5u: 'https://evil.example/cert' }],
  ['x5c', { x5c: ['AAAA'] }],
  ['b64', { b64: true }],
])('[AUTH.11] refuses a well-signed token with %s in its header', async (_name, header) => {
  const { system, tokens } = setUp()
  expect(await tokens.authenticate(await jwt(system, {}, header))).toMatchObject({ code: 'token_invalid' })
})

test('[AUTH.11] refuses a well-signed token that is too long, or has a duplicate claim or header', async () => {
  const { system, tokens } = setUp()
  const [header = '', payload = ''] = (await jwt(system)).split('.')
  const twice = (part: string, member: string) =>
    Buffer.from(`{${member},${Buffer.from(part, 'base64url').toString('utf8').slice(1)}`).toString(
      'base64url',
    )
  expect(await tokens.authenticate(signed(header, payload))).toMatchObject({ allowed: true })
  for (const token of [
    signed(header, twice(payload, '"sub":"user_bob"')),
    signed(twice(header, '"alg":"none"'), payload),
    await jwt(system, { padding: 'x'.repeat(8_192) }),
  ]) {
    expect(await tokens.authenticate(token)).toMatchObject({ code: 'token_invalid' })
  }
})

test('[AUTH.9] rejects and caches nothing while the store is down', async () => {
  const { tokens } = setUp({ ...memoryUsers(), findById: () => Promise.reject(new Error('down')) })
  const { accessToken } = await tokens.issue(ANN, 60_000)
  await expect(tokens.authenticate(accessToken)).rejects.toThrow('down')
  expect(tokens.recall(accessToken)).toBeUndefined()
})

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Signs any content with the right key. */
function signed(header: string, payload: string): string {
  const signature = createHmac('sha256', SECRET).update(`${header}.${payload}`).digest('base64url')
  return `${header}.${payload}.${signature}`
}

/** jose refuses to sign some headers; an attacker does not. */
function unsignable(header: object): string {
  return `${encode({ alg: 'HS256', typ: 'at+jwt', ...header })}.${encode(GOOD_CLAIMS)}.AAAA`
}
