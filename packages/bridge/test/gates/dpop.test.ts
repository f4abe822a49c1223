import { createHmac, generateKeyPairSync, hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { dpopGate } from '../../src/gates/dpop.ts'
import { ProofReplays } from '../../src/limiters/proof-replays.ts'
import { proofKey, signProof } from '../support/dpop-proof.ts'

const NOW_MS = 1_700_000_000_000
const TOKEN = 'token'
const URLS = ['https://bridge.example.com', 'https://other.example:8443/under']
const key = proofKey()
const edKey = proofKey('Ed25519')
const stranger = proofKey()
let ids = 0

const claims = (changes: object = {}) => ({
  jti: `id-${ids++}`,
  htm: 'POST',
  htu: 'https://bridge.example.com/mcp',
  iat: NOW_MS / 1_000,
  ath: hash('sha256', TOKEN, 'base64url'),
  ...changes,
})

interface Case {
  readonly proofs?: readonly string[]
  readonly path?: string
  readonly keyId?: string
  readonly replays?: ProofReplays
  readonly nowMs?: number
  readonly monotonicMs?: number
}

function gate({
  proofs = [],
  path = '/mcp',
  keyId = key.keyId,
  replays,
  nowMs = NOW_MS,
  monotonicMs = 0,
}: Case) {
  const request = { method: 'POST', path, proofs }
  return dpopGate(request, TOKEN, { userId: 'ann', keyId }, URLS, replays ?? new ProofReplays(), {
    nowMs,
    monotonicMs,
  })
}

const DENIED = { allowed: false, code: 'dpop_proof_invalid' }

test('[DPOP.1] accepts a proof by each algorithm', () => {
  expect(gate({ proofs: [signProof(key, claims())] })).toEqual({ allowed: true })
  expect(gate({ proofs: [signProof(edKey, claims())], keyId: edKey.keyId })).toEqual({ allowed: true })
  const named = signProof(edKey, claims(), { alg: 'EdDSA' })
  expect(gate({ proofs: [named], keyId: edKey.keyId })).toEqual({ allowed: true })
})

test('[DPOP.1] refuses a missing, repeated or malformed proof', () => {
  const good = signProof(key, claims())
  const [header = '', body = '', signature = ''] = good.split('.')
  for (const proofs of [
    [],
    [good, good],
    [''],
    ['a.b.c'],
    [`${good}, ${good}`],
    [`${header}.${body}.`],
    [`${header}.${body}`],
    [`${header}.${body}.${signature}.${signature}`],
    [signProof(key, claims({ pad: 'x'.repeat(5_000) }))],
    [signProof(key, '[]')],
    [signProof(key, '{"jti":[x]}')],
    [signProof(key, JSON.stringify(claims()).replace('{', '{"jti":"a",'))],
    [
      signProof(
        key,
        claims(),
        `{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256","jwk":${JSON.stringify(key.jwk)}}`,
      ),
    ],
  ])
    expect(gate({ proofs })).toMatchObject(DENIED)
})

test.each<[string, object]>([
  ['without a type', { typ: undefined }],
  ['of another type', { typ: 'at+jwt' }],
  ['with a critical parameter', { crit: ['x'], x: 1 }],
  ['without a key', { jwk: undefined }],
  ['with a key that is not an object', { jwk: 'key' }],
  ['with a private key', { jwk: { ...key.jwk, d: key.privateKey.export({ format: 'jwk' }).d } }],
  ['with a secret beside it', { jwk: { ...key.jwk, k: 'AA' } }],
  ['without an algorithm', { alg: undefined }],
  ['with no algorithm', { alg: 'none' }],
  ['with an algorithm of shared secrets', { alg: 'HS256' }],
  ['with an algorithm of another key', { alg: 'Ed25519' }],
  ['with a weak algorithm', { alg: 'RS1' }],
  ['with a key of another curve', { jwk: { ...key.jwk, crv: 'P-384' } }],
  ['with a point that is not on the curve', { jwk: { ...key.jwk, y: 'A'.repeat(43) } }],
  ['with a key of another kind', { jwk: { ...key.jwk, kty: 'OKP', crv: 'Ed25519' } }],
  ['with coordinates that are too long', { jwk: { ...key.jwk, x: `${key.jwk.x}AA` } }],
  ['with invalid coordinates', { jwk: { ...key.jwk, x: [key.jwk.x] } }],
])('[DPOP.1] refuses a proof %s', (_what, header) => {
  expect(gate({ proofs: [signProof(key, claims(), header)] })).toMatchObject(DENIED)
})

test('[DPOP.1] refuses an unsigned proof, and an HMAC keyed with the public key', () => {
  const [, body = ''] = signProof(key, claims()).split('.')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const none = `${part({ typ: 'dpop+jwt', alg: 'none', jwk: key.jwk })}.${body}.AA`
  const input = `${part({ typ: 'dpop+jwt', alg: 'HS256', jwk: key.jwk })}.${body}`
  const mac = createHmac('sha256', JSON.stringify(key.jwk)).update(input).digest('base64url')
  for (const proof of [none, `${input}.${mac}`]) expect(gate({ proofs: [proof] })).toMatchObject(DENIED)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' })
  expect(gate({ proofs: [signProof(key, claims(), { alg: 'RS256', jwk: rsa })] })).toMatchObject(DENIED)
})

test('[DPOP.2] refuses a proof by another key, even under the name of the right one', () => {
  expect(gate({ proofs: [signProof(stranger, claims())] })).toMatchObject(DENIED)
  expect(gate({ proofs: [signProof(stranger, claims(), { jwk: key.jwk })] })).toMatchObject(DENIED)
  expect(gate({ proofs: [signProof(stranger, claims(), { kid: key.keyId })] })).toMatchObject(DENIED)
})

test.each<[string, object]>([
  ['another method', { htm: 'GET' }],
  ['the method in small letters', { htm: 'post' }],
  ['no method', { htm: undefined }],
  ['another path', { htu: 'https://bridge.example.com/mcp/files' }],
  ['a path with two slashes more', { htu: 'https://bridge.example.com/mcp//' }],
  ['another host', { htu: 'https://bridge.example.com.evil.example/mcp' }],
  ['another port', { htu: 'https://bridge.example.com:444/mcp' }],
  ['another scheme', { htu: 'http://bridge.example.com/mcp' }],
  ['a user name before the host', { htu: 'https://a@bridge.example.com/mcp' }],
  ['a path alone', { htu: '/mcp' }],
  ['no address', { htu: undefined }],
  ['an address in a list', { htu: ['https://bridge.example.com/mcp'] }],
  ['another token', { ath: hash('sha256', 'other', 'base64url') }],
  ['no token', { ath: undefined }],
  ['the token itself', { ath: TOKEN }],
])('[DPOP.3] refuses a proof for %s', (_what, changes) => {
  expect(gate({ proofs: [signProof(key, claims(changes))] })).toMatchObject(DENIED)
})

test.each([
  ['https://BRIDGE.example.com:443/mcp?x=1#y', '/mcp'],
  ['https://other.example:8443/under/mcp', '/mcp'],
  ['https://bridge.example.com/mcp/%66iles%2f', '/mcp/files%2F'],
  ['https://bridge.example.com/a/../mcp', '/mcp'],
  ['https://bridge.example.com/mcp/', '/mcp'],
])('[DPOP.3] accepts an address in every spelling: %s', (htu, path) => {
  expect(gate({ proofs: [signProof(key, claims({ htu }))], path })).toEqual({ allowed: true })
})

test('[DPOP.4] accepts a proof of the last minute, or of a clock up to a minute ahead', () => {
  for (const seconds of [-60, 0, 60])
    expect(gate({ proofs: [signProof(key, claims({ iat: NOW_MS / 1_000 + seconds }))] })).toEqual({
      allowed: true,
    })
  for (const iat of [NOW_MS / 1_000 - 61, NOW_MS / 1_000 + 61, undefined, null, '1700000000', {}])
    expect(gate({ proofs: [signProof(key, claims({ iat }))] })).toMatchObject(DENIED)
  expect(
    gate({ proofs: [signProof(key, JSON.stringify(claims()).replace(/"iat":\d+/, '"iat":1e999'))] }),
  ).toMatchObject(DENIED)
})

test('[DPOP.4] accepts a proof once while it is valid', () => {
  const replays = new ProofReplays()
  const proof = signProof(key, claims({ iat: NOW_MS / 1_000 + 60 }))
  expect(gate({ proofs: [proof], replays })).toEqual({ allowed: true })
  expect(gate({ proofs: [proof], replays })).toMatchObject(DENIED)
  expect(gate({ proofs: [proof], replays, monotonicMs: 119_999, nowMs: NOW_MS + 119_999 })).toMatchObject(
    DENIED,
  )
  // The id counts, not the bytes: the same claims can be signed again.
  const again = signProof(key, claims({ jti: 'same' }))
  expect(gate({ proofs: [again], replays })).toEqual({ allowed: true })
  expect(gate({ proofs: [signProof(key, claims({ jti: 'same' }))], replays })).toMatchObject(DENIED)
  const others = signProof(edKey, claims({ jti: 'same' }))
  expect(gate({ proofs: [others], keyId: edKey.keyId, replays })).toEqual({ allowed: true })
})

test('[DPOP.4] refuses a proof without an id or with a huge one', () => {
  for (const jti of [undefined, '', 7, 'x'.repeat(257)])
    expect(gate({ proofs: [signProof(key, claims({ jti }))] })).toMatchObject(DENIED)
})

test('[DPOP.4] refuses a user over the bound with any key, and not others, until time passes', () => {
  const replays = new ProofReplays()
  for (let at = 0; at < 10_000; at++)
    expect(replays.take('ann', `k${at % 20}`, String(at), 0, 120_000)).toBe(true)
  expect(replays.take('ann', 'k0', 'more', 0, 120_000)).toBe(false)
  expect(replays.take('bob', 'k0', 'more', 0, 120_000)).toBe(true)
  expect(replays.take('ann', 'k0', '0', 119_999, 120_000)).toBe(false)
  expect(replays.take('ann', 'k0', 'more', 120_000, 120_000)).toBe(true)
})

test('[DPOP.4] refuses new proofs over the total bound, and still detects used ones', () => {
  const replays = new ProofReplays()
  for (let at = 0; at < 100_000; at++) replays.take(`user${at % 20}`, 'k', String(at), 0, 120_000)
  expect(replays.take('new', 'k', 'a', 0, 120_000)).toBe(false)
  expect(replays.take('user0', 'k', '0', 1, 120_000)).toBe(false)
  expect(replays.take('new', 'k', 'a', 120_000, 120_000)).toBe(true)
})
