import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { readDeviceKey } from '../src/tokens/device-key.ts'
import { isSoundPoint } from '../src/tokens/ed25519-point.ts'
import { testKey } from './support/device-world.ts'

const ed = testKey('EdDSA').jwk as Record<string, string>
const ec = testKey('ES256').jwk as Record<string, string>
const other = testKey('ES256').jwk as Record<string, string>
const bytes = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')

test.each(['EdDSA', 'ES256'] as const)('[DEV.1] reads an %s key under its thumbprint', (alg) => {
  const key = testKey(alg)
  const read = readDeviceKey(key.jwk)
  expect(read).toMatchObject({
    allowed: true,
    value: { keyId: key.keyId, jwsAlgorithm: alg, algorithm: alg === 'EdDSA' ? 'Ed25519' : 'ES256' },
  })
})

/** The points of edwards25519 whose order divides eight, as `y` in little endian, with each possible sign. */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
]
/** Other encodings of such points, or points with a sign that zero does not have. */
const NOT_CANONICAL = [
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]
/** No x belongs to this y. */
const OFF_CURVE = '0200000000000000000000000000000000000000000000000000000000000000'

describe('an Ed25519 point', () => {
  test.each([...SMALL_ORDER, ...NOT_CANONICAL, OFF_CURVE])('[DEV.1] refuses %s', (hex) => {
    expect(isSoundPoint(Buffer.from(hex, 'hex'))).toBe(false)
    expect(readDeviceKey({ kty: 'OKP', crv: 'Ed25519', x: bytes(hex) })).toMatchObject({
      allowed: false,
      code: 'device_key_invalid',
    })
  })

  test('[DEV.1] accepts a hundred real keys', () => {
    for (let at = 0; at < 100; at++) {
      const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
      expect(isSoundPoint(Buffer.from(x, 'base64url')), x).toBe(true)
    }
  })
})

const REFUSED: readonly (readonly [string, unknown])[] = [
  ['nothing', undefined],
  ['text', JSON.stringify(ed)],
  ['a list', [ed]],
  ['a private Ed25519 key', { ...ed, d: ed.x }],
  ['a private P-256 key', { ...ec, d: ec.x }],
  ['a name for itself', { ...ed, kid: 'x' }],
  ['the address of another key', { ...ed, x5u: 'https://evil.example' }],
  [
    'an inherited member',
    Object.assign(Object.create({ kty: 'OKP', crv: 'Ed25519' }) as object, { x: ed.x }),
  ],
  ['an RSA key', generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' })],
  ['a shared secret', { kty: 'oct', k: ed.x }],
  ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })],
  ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' })],
  ['X25519', generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })],
  ['Ed448', generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' })],
  ['Ed25519 that says P-256', { ...ed, crv: 'P-256' }],
  ['P-256 without y', { kty: ec.kty, crv: ec.crv, x: ec.x }],
  ['a point that is not on P-256', { ...ec, y: other.y }],
  ['P-256 at zero', { ...ec, x: bytes('00'.repeat(32)), y: bytes('00'.repeat(32)) }],
  ['P-256 beyond its field', { ...ec, x: bytes('ff'.repeat(32)) }],
  ['a coordinate that is short', { ...ed, x: bytes('01'.repeat(31)) }],
  ['a coordinate that is long', { ...ed, x: bytes('01'.repeat(33)) }],
  ['a coordinate in another alphabet', { ...ed, x: `${ed.x?.slice(0, 41)}+/` }],
  ['a coordinate with padding', { ...ed, x: `${ed.x}=` }],
  ['a coordinate that is a number', { ...ed, x: 1 }],
]

test.each(REFUSED)('[DEV.1] refuses %s', (_what, jwk) => {
  expect(readDeviceKey(jwk)).toMatchObject({ allowed: false, code: 'device_key_invalid' })
})

test('[DEV.1] accepts one encoding per key: the bits beyond its last byte are zero', () => {
  const { x = '' } = ed
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const same = x.slice(0, -1) + last.charAt(last.indexOf(x.slice(-1)) + 1)
  expect(Buffer.from(same, 'base64url')).toEqual(Buffer.from(x, 'base64url'))
  expect(readDeviceKey({ ...ed, x: same } satisfies JsonWebKey)).toMatchObject({ code: 'device_key_invalid' })
})
