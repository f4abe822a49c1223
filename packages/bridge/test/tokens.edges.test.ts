import { createHmac, randomBytes } from 'node:crypto'
import { createTokens, memoryUsers, type User } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { allow, deny, denyGenuine } from '../src/gates/verdict.ts'
import { type TokenRules, verifyJwt } from '../src/tokens/jwt.ts'
import { Recall } from '../src/tokens/recall.ts'

const SECRET = randomBytes(32)
const ANN: User = {
  userId: 'user_ann',
  email: 'ann@example.com',
  tokenVersion: 3,
  createdAtMs: 0,
  state: 'active',
}
const RULES: TokenRules = {
  algorithms: ['HS256'],
  typ: 'at+jwt',
  issuer: 'i',
  audience: 'a',
  requiredClaims: [],
}
const HEADER = { alg: 'HS256', typ: 'at+jwt' }
const START_SECONDS = 1_800_000_000
const CLAIMS = { iss: 'i', aud: 'a', exp: START_SECONDS + 60 }
const OURS = { iss: 'bridgekeeper', aud: 'bridgekeeper', sub: 'user_ann', sid: 's', tv: 3, jti: 'j' }

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs any content with the right key. */
function signed(claims: object | string, header: object | string = HEADER): string {
  const [head, body] = [header, claims].map((part) => (typeof part === 'string' ? part : encode(part)))
  return `${head}.${body}.${createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url')}`
}

const verify = (token: string) => verifyJwt(token, () => SECRET, RULES, new FakeSystem())
const ours = (claims: object): string =>
  signed({ ...OURS, iat: START_SECONDS, exp: START_SECONDS + 60, ...claims })

test.each([
  ['exp', 1, allow],
  ['exp', 0, 'token_expired'],
  ['exp', -59, 'token_expired'],
  ['exp', -61, 'token_expired'],
  ['iat', 60, allow],
  ['iat', 61, 'token_invalid'],
  ['nbf', 60, allow],
  ['nbf', 61, 'token_invalid'],
] as const)(
  '[AUTH.4] [AUTH.5] judges a token whose %s is %i seconds from now',
  async (claim, seconds, expected) => {
    const verdict = await verify(signed({ ...CLAIMS, [claim]: START_SECONDS + seconds }))
    expect(verdict.allowed ? allow : verdict.code).toBe(expected)
  },
)

test('[AUTH.5] passes the library the audience, one or several, and the required claims', async () => {
  const check = (claims: object, rules: Partial<TokenRules>) =>
    verifyJwt(signed({ ...CLAIMS, ...claims }), () => SECRET, { ...RULES, ...rules }, new FakeSystem())
  const asked: string[] = []
  const audience = (given: string) => asked.push(given) > 0 && given.startsWith('https://')
  expect(await check({ aud: 'b' }, {})).toEqual(denyGenuine('token_invalid'))
  expect(await check({ aud: 'https://b' }, { audience })).toMatchObject({ allowed: true })
  for (const aud of ['b', ['https://b'], undefined])
    expect(await check({ aud }, { audience })).toEqual(denyGenuine('token_invalid'))
  expect(asked).toEqual(['https://b', 'b'])
  expect(await check({}, { requiredClaims: ['sub'] })).toEqual(denyGenuine('token_invalid'))
  expect(await check({ sub: 'ann' }, { requiredClaims: ['sub'] })).toMatchObject({ allowed: true })
})

test('[AUTH.5] refuses a token with a time that is no number, another algorithm or no JSON', async () => {
  const good = { ...CLAIMS, iat: START_SECONDS }
  expect(await verify(signed(good))).toMatchObject({ allowed: true })
  for (const times of [{ exp: String(START_SECONDS + 60) }, { iat: String(START_SECONDS) }, { nbf: '1' }])
    expect(await verify(signed({ ...good, ...times })), JSON.stringify(times)).toEqual(
      denyGenuine('token_invalid'),
    )
  expect(await verify(signed(good, { ...HEADER, alg: 'HS512' }))).toEqual(deny('token_invalid'))
  const withNonsense = (object: object) =>
    Buffer.from(JSON.stringify({ ...object, x: ['?'] }).replace('"?"', 'tru')).toString('base64url')
  // Not JSON, and therefore refused before its signature is checked.
  expect(await verify(signed(withNonsense(good)))).toEqual(deny('token_invalid'))
  expect(await verify(signed(good, withNonsense(HEADER)))).toEqual(deny('token_invalid'))
})

test('[AUTH.5] refuses other encodings of a valid signature', async () => {
  const good = signed(CLAIMS)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const spellings = [...alphabet].map((last) => good.slice(0, -1) + last)
  const bytes = (token: string) => Buffer.from(token.split('.')[2] ?? '', 'base64url').toString('hex')
  const same = spellings.filter((token) => bytes(token) === bytes(good))
  expect(same).toHaveLength(4)
  for (const token of same) expect((await verify(token)).allowed, token).toBe(token === good)
})

test('[AUTH.5] refuses an own token for several audiences', async () => {
  const tokens = createTokens(SECRET, memoryUsers([ANN]), new FakeSystem())
  expect(await tokens.authenticate(ours({ aud: ['bridgekeeper'] }))).toEqual(denyGenuine('token_invalid'))
  expect(await tokens.authenticate(ours({ aud: 'other' }))).toEqual(denyGenuine('token_invalid'))
})

test('[AUTH.5] refuses a token without an expiry, whatever claims the rules demand', async () => {
  expect(await verify(signed({ iss: 'i', aud: 'a' }))).toEqual(denyGenuine('token_invalid'))
})

test('[AUTH.5] refuses a signed token in any other shape than three plain parts', async () => {
  expect(await verify(signed(CLAIMS))).toMatchObject({ allowed: true, value: CLAIMS })
  const good = signed(CLAIMS)
  const shapes = [
    `${good}\n`,
    `${good}=`,
    `${good}.`,
    `${good}.e30`,
    ` ${good}`,
    signed(CLAIMS, ` ${encode(HEADER)}`),
    signed(` ${encode(CLAIMS)}`),
    signed(`${encode(CLAIMS)}=`),
    signed('W10'),
    signed(CLAIMS, 'W10'),
    `.${encode(CLAIMS)}.e30`,
    '..',
    '',
  ]
  for (const shape of shapes) expect(await verify(shape), shape).toEqual(deny('token_invalid'))
})

test('[AUTH.11] reads a token of 8,192 characters, and refuses a longer one', async () => {
  const sized = (length: number): string => {
    for (let header = 0; header < 4; header++) {
      for (let pad = Math.floor((length - 250) * 0.75); pad < length; pad++) {
        const token = signed({ ...CLAIMS, pad: 'x'.repeat(pad) }, { ...HEADER, h: 'x'.repeat(header) })
        if (token.length === length) return token
        if (token.length > length) break
      }
    }
    throw new Error('no such length')
  }
  expect(await verify(sized(8_192))).toMatchObject({ allowed: true })
  expect(await verify(sized(8_193))).toEqual(deny('token_invalid'))
})

test('[AUTH.11] looks up keys by a checked header only, and does not blame the token for a failed look-up', async () => {
  let asked = 0
  const find = (header: { kid?: string }) => {
    asked += 1
    if (header.kid !== 'k') throw new RangeError('the provider is down')
    return SECRET
  }
  const system = new FakeSystem()
  const check = (header: object) => verifyJwt(signed(CLAIMS, { ...HEADER, ...header }), find, RULES, system)
  expect(await check({ kid: 'k' })).toMatchObject({ allowed: true })
  await expect(check({ kid: 'other' })).rejects.toThrow(RangeError)
  expect(asked).toBe(2)
  for (const name of ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64'])
    expect(await check({ kid: 'k', [name]: true }), name).toEqual(deny('token_invalid'))
  expect(asked).toBe(2)
})

test.each([{ sub: 5 }, { sid: 5 }, { tv: '3' }, { sub: null }, { sid: {} }, { tv: null }, { scope: 5 }])(
  '[AUTH.5] refuses a signed token with %j',
  async (claims) => {
    const tokens = createTokens(SECRET, memoryUsers([ANN]), new FakeSystem())
    expect(await tokens.authenticate(ours({}))).toMatchObject({ allowed: true })
    expect(await tokens.authenticate(ours(claims))).toEqual(denyGenuine('token_invalid'))
  },
)

test('[AUTH.4] [AUTH.7] returns when a token expires, and refuses one of an older version as revoked', async () => {
  const system = new FakeSystem()
  const tokens = createTokens(SECRET, memoryUsers([ANN]), system)
  const issued = await tokens.issue(ANN, 60_001)
  expect(issued.expiresAt).toBe(new Date((START_SECONDS + 61) * 1_000).toISOString())
  expect(await tokens.authenticate(issued.accessToken)).toMatchObject({
    value: { expiresAtMs: (START_SECONDS + 61) * 1_000 },
  })
  expect(await tokens.authenticate(ours({ tv: 2 }))).toEqual(deny('login_revoked'))
})

test('[AUTH.8] caches a token for less than five seconds and until before its expiry', () => {
  const system = new FakeSystem()
  const recall = new Recall(system)
  const principal = (lifetimeMs: number) => ({
    userId: 'ann',
    sessionId: 's',
    expiresAtMs: system.nowMs() + lifetimeMs,
  })
  recall.begin('long')(principal(60_000))
  recall.begin('short')(principal(3_000))
  system.advance(2_999)
  expect(recall.get('short')).toBeDefined()
  system.advance(1)
  expect(recall.get('short')).toBeUndefined()
  system.advance(1_999)
  expect(recall.get('long')).toBeDefined()
  system.advance(1)
  expect(recall.get('long')).toBeUndefined()
})

/** A recall, and a function that makes it remember a token for a minute. */
function recalling() {
  const system = new FakeSystem()
  const recall = new Recall(system)
  const remember = (token: string) =>
    recall.begin(token)({ userId: 'ann', sessionId: 's', expiresAtMs: system.nowMs() + 60_000 })
  return { system, recall, remember }
}

test('[AUTH.8] forgets an expired token, though none follows it', () => {
  const { system, recall, remember } = recalling()
  remember('first')
  system.advance(3_000)
  remember('later')
  expect(recall.size).toBe(2)
  system.advance(2_000)
  expect(recall.size).toBe(1)
  system.advance(5_000)
  expect([recall.size, system.armed]).toEqual([0, 0])
})

test('[AUTH.8] caches a token added between two sweeps for five seconds, and drops it at the first query after', () => {
  const { system, recall, remember } = recalling()
  remember('first')
  system.advance(3_000)
  remember('later')
  system.advance(4_999)
  expect(recall.get('later')).toBeDefined()
  system.advance(1)
  expect([recall.size, recall.get('later'), recall.size]).toEqual([1, undefined, 0])
})

test('[AUTH.8] refreshes the age of a token that is verified again', () => {
  const { system, recall, remember } = recalling()
  remember('twice')
  system.advance(1_000)
  remember('once')
  system.advance(3_000)
  remember('twice')
  system.advance(2_500)
  remember('newest')
  expect(recall.size).toBe(2)
})

test.each(['user', 'session', 'device'] as const)(
  '[AUTH.13] forgets the cached tokens of a %s with it, and no others',
  (kind) => {
    const recall = new Recall(new FakeSystem())
    const remember = (owner: string) =>
      recall.begin(owner)({
        userId: owner === 'other' ? 'u2' : 'u1',
        sessionId: owner === 'other' ? 's2' : 's1',
        deviceId: owner === 'other' ? 'd2' : 'd1',
        expiresAtMs: Number.POSITIVE_INFINITY,
      })
    remember('one')
    remember('other')
    recall.forget({ kind, id: `${kind[0]}1` })
    expect([recall.get('one'), recall.get('other')?.userId]).toEqual([undefined, 'u2'])
  },
)

test('[AUTH.8] caches ten thousand tokens, and replaces a stale or the oldest one', () => {
  const { system, recall, remember } = recalling()
  remember('first')
  remember('stale')
  system.advance(5_000)
  expect(recall.get('first')).toBeUndefined()
  remember('first')
  for (let i = 0; i < 9_998; i++) remember(`token ${i}`)
  expect(recall.get('first')).toBeDefined()
  remember('in the place of the stale one')
  expect(recall.get('first')).toBeDefined()
  remember('in the place of the oldest one')
  expect([recall.get('first'), recall.get('token 0') === undefined]).toEqual([undefined, false])
})
