import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createTokens, memoryUsers, type User } from '@bridgekeeper/server'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'

const SECRET = randomBytes(32)
const ANN: User = { userId: 'user_ann', email: 'ann@example.com', tokenVersion: 3, createdAtMs: 0 }

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

test('[AUTH.4] takes its own token and says whose it is, until it expires', async () => {
  const { system, tokens } = setUp()
  const issued = await tokens.issue(ANN, 60_000)
  const verdict = await tokens.authenticate(issued.accessToken)
  expect(verdict).toMatchObject({ allowed: true, value: { userId: 'user_ann', sessionId: issued.sessionId } })
  system.advance(61_000)
  expect(await tokens.authenticate(issued.accessToken)).toMatchObject({ code: 'token_expired' })
})

test('[AUTH.4] each login has its own session, which no token derives from time', async () => {
  const { tokens } = setUp()
  const [first, second] = await Promise.all([tokens.issue(ANN, 1_000), tokens.issue(ANN, 1_000)])
  expect(first.sessionId).not.toBe(second.sessionId)
})

test('[AUTH.5] a token made by the test itself is taken, so that each change below is what is refused', async () => {
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

test('[AUTH.5] refuses a signature that is missing, foreign, cut or of another algorithm', async () => {
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

test('[AUTH.6] refuses the token of a user who does not exist', async () => {
  const { tokens } = setUp(memoryUsers())
  expect(await tokens.authenticate((await tokens.issue(ANN, 60_000)).accessToken)).toMatchObject({
    code: 'user_unknown',
  })
})

test('[AUTH.7] refuses the tokens from before the token version was raised', async () => {
  const { tokens } = setUp(memoryUsers([{ ...ANN, tokenVersion: 4 }]))
  expect(await tokens.authenticate((await tokens.issue(ANN, 60_000)).accessToken)).toMatchObject({
    code: 'token_invalid',
  })
})

test('[AUTH.8] recalls a verified token for five seconds, and never a bad one or past its expiry', async () => {
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

test('[AUTH.9] a store that is down refuses: it rejects, and nothing is recalled', async () => {
  const { tokens } = setUp({ ...memoryUsers(), findById: () => Promise.reject(new Error('down')) })
  const { accessToken } = await tokens.issue(ANN, 60_000)
  await expect(tokens.authenticate(accessToken)).rejects.toThrow('down')
  expect(tokens.recall(accessToken)).toBeUndefined()
})

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** jose refuses to sign some headers; an attacker does not. */
function unsignable(header: object): string {
  return `${encode({ alg: 'HS256', typ: 'at+jwt', ...header })}.${encode(GOOD_CLAIMS)}.AAAA`
}
