import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createJwksAuthenticator, type JwksOptions, memoryUsers, type User } from '@bridgekeeper/bridge'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'

const ISSUER = 'https://login.example.com'
const AUDIENCE = 'https://bridge.example.com'
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'ann', sid: 'login-1' }

interface SigningKey {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

async function signingKey(kid: string, alg = 'ES256', extra: object = {}): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig', ...extra } }
}

/** An identity provider that publishes its keys, and counts how often it is asked. */
async function provider(...keys: SigningKey[]) {
  const at = { requests: 0, url: new URL('http://127.0.0.1'), answer: (() => {}) as RequestListener }
  const publish = (...published: SigningKey[]) => {
    at.answer = (_request, response) =>
      response.end(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }))
  }
  publish(...keys)
  const server = createServer((request, response) => {
    at.requests++
    at.answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  at.url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)
  return Object.assign(at, { publish })
}

function setUp(
  jwks: JwksOptions['jwks'],
  options: Partial<JwksOptions> = {},
  users?: ReturnType<typeof memoryUsers>,
) {
  const system = new FakeSystem()
  const authenticator = createJwksAuthenticator(
    { jwks, issuer: ISSUER, audience: AUDIENCE, ...options },
    users,
    system,
  )
  const sign = (key: SigningKey, claims: object = {}, header: object = {}) => {
    const nowSeconds = Math.floor(system.nowMs() / 1_000)
    return new SignJWT({ ...CLAIMS, iat: nowSeconds, exp: nowSeconds + 300, ...claims })
      .setProtectedHeader({ alg: key.jwk.alg ?? '', kid: key.jwk.kid ?? '', typ: 'at+jwt', ...header })
      .sign(key.privateKey)
  }
  return { system, authenticator, sign }
}

test.each(['ES256', 'EdDSA', 'RS256', 'PS256'])('[JWKS.1] accepts a token signed with %s', async (alg) => {
  const key = await signingKey('1', alg)
  const { authenticator, sign } = setUp({ keys: [key.jwk] })
  const token = await sign(key, { scope: 'openid tools:list' })
  const value = { userId: 'ann', sessionId: 'login-1', scopes: ['tools:list'] }
  expect(await authenticator.authenticate(token)).toMatchObject({ allowed: true, value })
  expect(authenticator.recall(token)).toMatchObject(value)
})

test.each<[string, object, object]>([
  ['another issuer', { iss: 'https://evil.example' }, {}],
  ['another audience', { aud: 'https://other.example.com' }, {}],
  ['the type of an ID token', {}, { typ: 'JWT' }],
  ['no type', {}, { typ: undefined }],
  ['no session', { sid: undefined }, {}],
  ['an empty user', { sub: '' }, {}],
  ['no end', { exp: undefined }, {}],
  ['no begin', { iat: undefined }, {}],
  ['scopes of another kind', { scope: 7 }, {}],
  ['the key of another', {}, { kid: 'other' }],
  ['a path as its key', {}, { kid: '../../../dev/null' }],
  ['a query as its key', {}, { kid: "' UNION SELECT 'x" }],
  ['the address of other keys', {}, { jku: 'https://evil.example/jwks' }],
])('[JWKS.1] refuses a signed token with %s', async (_what, claims, header) => {
  const key = await signingKey('1')
  const { authenticator, sign } = setUp({ keys: [key.jwk] })
  expect(await authenticator.authenticate(await sign(key))).toMatchObject({ allowed: true })
  const verdict = await authenticator.authenticate(await sign(key, claims, header))
  expect(verdict).toMatchObject({ code: 'token_invalid' })
})

test('[JWKS.1] W11: refuses an HMAC keyed with the public key, in any form', async () => {
  const key = await signingKey('1', 'RS256')
  const { system, authenticator } = setUp({ keys: [key.jwk] })
  const exp = Math.floor(system.nowMs() / 1_000) + 60
  for (const secret of [await exportSPKI(key.publicKey), JSON.stringify(key.jwk), key.jwk.n ?? ''])
    for (const alg of ['HS256', 'HS512']) {
      const forged = await new SignJWT({ ...CLAIMS, iat: exp - 60, exp })
        .setProtectedHeader({ alg, kid: '1', typ: 'at+jwt' })
        .sign(Buffer.from(secret))
      expect(await authenticator.authenticate(forged)).toMatchObject({ code: 'token_invalid' })
    }
})

test('[JWKS.1] uses a key for its own algorithm and for signatures only', async () => {
  const rsa = await signingKey('1', 'RS256')
  const { authenticator, sign } = setUp({ keys: [rsa.jwk] })
  const pss = { ...(await signingKey('1', 'PS256')), jwk: { ...rsa.jwk, alg: 'PS256' } }
  expect(await authenticator.authenticate(await sign(pss))).toMatchObject({ code: 'token_invalid' })
  const sealing = await signingKey('1', 'RS256', { use: 'enc' })
  const other = setUp({ keys: [sealing.jwk] })
  expect(await other.authenticator.authenticate(await other.sign(sealing))).toMatchObject({
    code: 'token_invalid',
  })
  const narrow = setUp({ keys: [rsa.jwk] }, { algorithms: ['ES256'] })
  expect(await narrow.authenticator.authenticate(await narrow.sign(rsa))).toMatchObject({
    code: 'token_invalid',
  })
})

test('[JWKS.1] refuses a signature of zeros', async () => {
  const key = await signingKey('1')
  const { authenticator, sign } = setUp({ keys: [key.jwk] })
  const parts = (await sign(key)).split('.')
  const zeros = [parts[0], parts[1], Buffer.alloc(64).toString('base64url')].join('.')
  expect(await authenticator.authenticate(zeros)).toMatchObject({ code: 'token_invalid' })
})

test('[JWKS.1] refuses symmetric algorithms, plain addresses and secret keys at once', async () => {
  const key = await signingKey('1')
  for (const algorithms of [['HS256'], ['ES256', 'HS256'], ['none'], ['dir'], []])
    expect(() => setUp({ keys: [key.jwk] }, { algorithms })).toThrow(TypeError)
  for (const url of [
    'http://login.example.com/jwks',
    'http://localhost.evil.com/',
    'ftp://127.0.0.1/',
    'file:///jwks',
  ])
    expect(() => setUp(new URL(url)), url).toThrow(TypeError)
  expect(() => setUp({ keys: [key.jwk] }, { issuer: '' })).toThrow(TypeError)
  const secret = await exportJWK(key.privateKey)
  expect(() => setUp({ keys: [secret] })).toThrow('private or shared keys')
  expect(() => setUp({ keys: [{ kty: 'oct', k: 'AAAA' }] })).toThrow('private or shared keys')
})

test('[JWKS.1] lets an app choose the claims for user and session, and a user store decide who may come', async () => {
  const key = await signingKey('1')
  const bob: User = { userId: 'b', email: 'b@x.y', tokenVersion: 0, createdAtMs: 0, state: 'active' }
  const users = memoryUsers([bob])
  const claims: JwksOptions['claims'] = ({ oid, sub }) =>
    typeof oid === 'string' && sub !== undefined ? { userId: oid, sessionId: sub } : undefined
  const { authenticator, sign } = setUp({ keys: [key.jwk] }, { claims }, users)
  const known = await sign(key, { oid: 'b' })
  expect(await authenticator.authenticate(known)).toMatchObject({ value: { userId: 'b', sessionId: 'ann' } })
  expect(await authenticator.authenticate(await sign(key, { oid: 'c' }))).toMatchObject({
    code: 'user_unknown',
  })
  expect(await authenticator.authenticate(await sign(key))).toMatchObject({ code: 'token_invalid' })
  await users.setState('b', 'suspended')
  authenticator.forget?.({ kind: 'user', id: 'b' })
  expect(authenticator.recall(known)).toBeUndefined()
  expect(await authenticator.authenticate(known)).toMatchObject({ code: 'user_suspended' })
})

test('[JWKS.2] finds a provider’s new key, and refuses a withdrawn one in time', async () => {
  const [first, second] = [await signingKey('1'), await signingKey('2')]
  const at = await provider(first)
  const { system, authenticator, sign } = setUp(at.url)
  expect(await authenticator.authenticate(await sign(first))).toMatchObject({ allowed: true })
  at.publish(second)
  system.advance(31_000)
  expect(await authenticator.authenticate(await sign(second))).toMatchObject({ allowed: true })
  expect(at.requests).toBe(2)
  expect(await authenticator.authenticate(await sign(first))).toMatchObject({ code: 'token_invalid' })
})

test('[JWKS.2] makes one request per cooldown in a flood of tokens with unknown keys', async () => {
  const [key, foreign] = [await signingKey('1'), await signingKey('x')]
  const at = await provider(key)
  const { system, authenticator, sign } = setUp(at.url)
  const flood = async () => {
    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, i) => sign(foreign, {}, { kid: `k${i}` })),
    )
    for (const verdict of await Promise.all(tokens.map((token) => authenticator.authenticate(token))))
      expect(verdict).toMatchObject({ code: 'token_invalid' })
  }
  await flood()
  await flood()
  expect(at.requests).toBe(1)
  system.advance(31_000)
  await flood()
  expect(at.requests).toBe(2)
  expect(await authenticator.authenticate(await sign(key))).toMatchObject({ allowed: true })
})

test.each<[string, RequestListener]>([
  ['is broken', (_request, response) => response.writeHead(500).end()],
  ['sends no key set', (_request, response) => response.end('[]')],
  ['redirects', (_request, response) => response.writeHead(302, { location: '/other' }).end()],
  [
    'sends too much',
    (_request, response) => response.end(JSON.stringify({ keys: [], x: 'x'.repeat(300_000) })),
  ],
  ['gives secrets away', (_request, response) => response.end('{"keys":[{"kty":"oct","k":"AAAA"}]}')],
  ['hangs up', (request) => request.socket.destroy()],
])('[JWKS.3] admits nobody while a provider %s, and does not ask it again at once', async (_what, answer) => {
  const key = await signingKey('1')
  const at = await provider(key)
  const good = at.answer
  at.answer = answer
  const { system, authenticator, sign } = setUp(at.url)
  for (let i = 0; i < 20; i++)
    await expect(authenticator.authenticate(await sign(key))).rejects.toMatchObject({
      name: 'KeysUnavailable',
    })
  expect(at.requests).toBe(1)
  at.answer = good
  system.advance(31_000)
  expect(await authenticator.authenticate(await sign(key))).toMatchObject({ allowed: true })
})

test('[JWKS.3] gives up on a silent provider after five seconds', async () => {
  const key = await signingKey('1')
  const at = await provider(key)
  const asked = Promise.withResolvers<void>()
  at.answer = () => asked.resolve()
  const { system, authenticator, sign } = setUp(at.url)
  const verdict = expect(authenticator.authenticate(await sign(key))).rejects.toMatchObject({
    name: 'KeysUnavailable',
  })
  await asked.promise
  system.advance(5_000)
  await verdict
})

test('[JWKS.3] uses keys for ten minutes without the provider, and no longer', async () => {
  const key = await signingKey('1')
  const at = await provider(key)
  const { system, authenticator, sign } = setUp(at.url)
  await authenticator.authenticate(await sign(key))
  at.answer = (_request, response) => response.writeHead(503).end()
  system.advance(599_000)
  expect(await authenticator.authenticate(await sign(key))).toMatchObject({ allowed: true })
  system.advance(2_000)
  // The first asks the provider once more; the second does not even do that.
  for (let i = 0; i < 2; i++)
    await expect(authenticator.authenticate(await sign(key))).rejects.toMatchObject({
      name: 'KeysUnavailable',
    })
  expect(at.requests).toBe(2)
})
