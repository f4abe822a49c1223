import { createHmac, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { SECRET, startBridge } from '../support/bridge.ts'
import { atEveryDoor, encode, everyDoor, hmacToken, partsOf, type TokenParts } from '../support/forge.ts'

/** Forges a token for another user from the attacker's own token. */
type Forge = (mine: TokenParts, token: string) => string

const asBob = ({ claims }: TokenParts) => ({ ...claims, sub: 'user_bob' })

const FORGERIES: readonly (readonly [string, Forge])[] = [
  ['with alg none and no signature', (m) => `${encode({ ...m.header, alg: 'none' })}.${encode(asBob(m))}.`],
  ['with alg nOnE', (m) => `${encode({ ...m.header, alg: 'nOnE' })}.${encode(asBob(m))}.`],
  ['with alg none and a signature', (m) => hmacToken({ ...m.header, alg: 'none' }, asBob(m), SECRET)],
  ['without an algorithm', (m) => hmacToken({ typ: m.header.typ }, asBob(m), SECRET)],
  ['with a list of algorithms', (m) => hmacToken({ ...m.header, alg: ['HS256'] }, asBob(m), SECRET)],
  ['with an empty signature', (m) => `${encode(m.header)}.${encode(asBob(m))}.`],
  [
    'with the signature of another content',
    (m, t) => `${encode(m.header)}.${encode(asBob(m))}.${t.split('.')[2]}`,
  ],
  ['with half a signature', (_m, t) => t.slice(0, -20)],
  ['signed with an empty key', (m) => hmacToken(m.header, asBob(m), '')],
  ['signed with a well-known key', (m) => hmacToken(m.header, asBob(m), 'secret')],
  [
    'with another hash of the right key',
    (m) => hmacToken({ ...m.header, alg: 'HS512' }, asBob(m), SECRET, 'sha512'),
  ],
  ['that names an asymmetric algorithm', (m) => hmacToken({ ...m.header, alg: 'RS256' }, asBob(m), SECRET)],
  [
    'with an ECDSA signature of zeros',
    (m) => `${encode({ ...m.header, alg: 'ES256' })}.${encode(asBob(m))}.${encode('\0'.repeat(64))}`,
  ],
  ['of two parts', (_m, t) => t.split('.').slice(0, 2).join('.')],
  ['of five parts, as an encrypted one', (_m, t) => `${t}.AAAA.AAAA`],
  ['in another alphabet', (_m, t) => `${t}=`],
]

test.each(FORGERIES)('[AUTH.5] W11: refuses at every door a token %s', async (_what, forge) => {
  const bridge = await startBridge()
  const { accessToken } = await bridge.token('ann')
  const forged = forge(partsOf(accessToken), accessToken)
  expect(await atEveryDoor(bridge, forged)).toEqual(everyDoor('token_invalid'))
  expect(await atEveryDoor(bridge, accessToken)).toEqual(everyDoor('let in'))
})

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const attackersKey = { kty: 'oct', k: Buffer.from('attacker').toString('base64url') }

/** Each signature is right, as for an attacker who makes the bridge verify with their own key. */
const HEADERS: readonly (readonly [string, object])[] = [
  ['an embedded key', { jwk: attackersKey }],
  ['the address of keys', { jku: 'https://evil.example/jwks.json' }],
  ['the address of a certificate', { x5u: 'https://evil.example/cert.pem' }],
  ['a certificate', { x5c: [publicKey.export({ format: 'der', type: 'spki' }).toString('base64')] }],
  ['an unknown critical parameter', { crit: ['exp2'], exp2: 0 }],
  ['an empty list of critical parameters', { crit: [] }],
  ['a payload that is not encoded', { b64: false, crit: ['b64'] }],
]

test.each(HEADERS)(
  '[AUTH.11] W11: refuses at every door a token with %s in its header',
  async (_what, header) => {
    const bridge = await startBridge()
    const mine = partsOf((await bridge.token('ann')).accessToken)
    const token = hmacToken({ ...mine.header, ...header }, mine.claims, SECRET)
    expect(await atEveryDoor(bridge, token)).toEqual(everyDoor('token_invalid'))
  },
)

/** Allows many forgeries from one address: the test is about each answer, not about the block. */
const PATIENT = { addressFailures: { failures: 1_000, windowMs: 60_000, blockMs: 1_000 } }

test('[AUTH.5] W11: ignores the key that a token names', async () => {
  const bridge = await startBridge(PATIENT)
  const mine = partsOf((await bridge.token('ann')).accessToken)
  for (const kid of [
    '../../../../dev/null',
    '/proc/self/environ',
    "x' UNION SELECT ''--",
    '\0',
    'x'.repeat(1_000),
  ]) {
    const empty = hmacToken({ ...mine.header, kid }, asBob(mine), '')
    expect(await atEveryDoor(bridge, empty), kid).toEqual(everyDoor('token_invalid'))
  }
})

test('[AUTH.11] W11: refuses a token with a duplicate member, in either order', async () => {
  const bridge = await startBridge(PATIENT)
  const { header, claims } = partsOf((await bridge.token('ann')).accessToken)
  const inside = JSON.stringify(claims).slice(1, -1)
  const head = JSON.stringify(header).slice(1, -1)
  for (const [writtenHeader, writtenClaims] of [
    [header, `{"sub":"user_bob",${inside}}`],
    [header, `{${inside},"sub":"user_bob"}`],
    [header, `{${inside},"s\\u0075b":"user_bob"}`],
    [`{"alg":"none",${head}}`, claims],
  ] as const) {
    const token = hmacToken(writtenHeader, writtenClaims, SECRET)
    expect(await atEveryDoor(bridge, token)).toEqual(everyDoor('token_invalid'))
  }
})

test('[AUTH.11] W11: refuses a well-signed token over 8,192 characters, and accepts one just below', async () => {
  const bridge = await startBridge(PATIENT)
  const { header, claims } = partsOf((await bridge.token('ann')).accessToken)
  const sized = (chars: number) => {
    const bare = hmacToken(header, { ...claims, pad: '' }, SECRET).length
    return hmacToken(header, { ...claims, pad: 'x'.repeat(Math.floor(((chars - bare) * 3) / 4) - 2) }, SECRET)
  }
  expect(sized(8_190).length).toBeGreaterThan(8_180)
  expect(await atEveryDoor(bridge, sized(8_190))).toEqual(everyDoor('let in'))
  expect(await atEveryDoor(bridge, sized(8_210))).toEqual(everyDoor('token_invalid'))
})

test('[AUTH.11] W11: refuses payloads that are no object or deeply nested', async () => {
  const bridge = await startBridge(PATIENT)
  const { header } = partsOf((await bridge.token('ann')).accessToken)
  const deep = `{"sub":${'['.repeat(2_000)}${']'.repeat(2_000)}}`
  for (const claims of ['[]', 'null', '"x"', '', '{', deep, '{"sub":"user_ann"} trailing']) {
    const input = `${encode(header)}.${encode(claims)}`
    const token = `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
    expect(await atEveryDoor(bridge, token), claims.slice(0, 20)).toEqual(everyDoor('token_invalid'))
  }
})
