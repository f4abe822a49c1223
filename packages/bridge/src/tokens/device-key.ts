import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { canonicalJson, isObject } from '@bridgekeeper/protocol'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { DeviceAlgorithm, DeviceKey } from '../ports/devices.ts'
import { isSoundPoint } from './ed25519-point.ts'

/** A device's public key, fit to verify with. */
export interface PublicKey extends Pick<DeviceKey, 'keyId' | 'algorithm' | 'jwk'> {
  /** Its algorithm's name in a JWS header (RFC 7518 section 3.1, RFC 8037 section 3.1). */
  readonly jwsAlgorithm: 'EdDSA' | 'ES256'
  readonly verifier: KeyObject
}

/** 32 bytes in base64url, of which the last character holds four bits: one way to write each value. */
const COORDINATE = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** What each type of key may have, and must. */
const MEMBERS = { OKP: ['crv', 'kty', 'x'], EC: ['crv', 'kty', 'x', 'y'] } as const
const CURVES = { OKP: 'Ed25519', EC: 'P-256' } as const

/**
 * [DEV.1] Reads the public key that a machine wants to be known by: Ed25519 or P-256, on its curve, of no
 * small order, and nothing besides: no private half, no name, no address of another key.
 * Source: RFC 7517 section 4, RFC 7638 section 3, RFC 8037 section 2, RFC 8725 section 3.10; SP 800-186.
 */
export function readDeviceKey(jwk: unknown): Verdict<PublicKey> {
  if (!isObject(jwk) || (jwk.kty !== 'OKP' && jwk.kty !== 'EC'))
    return refused('It is no Ed25519 or P-256 key.')
  const { kty, crv, x, y } = jwk
  if (Object.keys(jwk).sort().join() !== MEMBERS[kty].join())
    return refused('It may have the members of a public key, and no others.')
  if (crv !== CURVES[kty]) return refused('It is no Ed25519 or P-256 key.')
  if (!isCoordinate(x) || (kty === 'EC' && !isCoordinate(y)))
    return refused('Its coordinates cannot be read.')
  if (kty === 'OKP' && !isSoundPoint(Buffer.from(x, 'base64url')))
    return refused('It is no point that a key can be.')
  const verifier = imported(jwk)
  if (verifier === undefined) return refused('It is no point of its curve.')
  const canonical = canonicalJson(jwk)
  const keyId = createHash('sha256').update(canonical).digest('base64url')
  const algorithm: DeviceAlgorithm = kty === 'OKP' ? 'Ed25519' : 'ES256'
  return allow({ keyId, algorithm, jwk: canonical, jwsAlgorithm: jwsAlgorithm(algorithm), verifier })
}

/** A key that was read when it was enrolled. */
export function verifierOf({ jwk, algorithm }: DeviceKey): Pick<PublicKey, 'jwsAlgorithm' | 'verifier'> {
  const verifier = createPublicKey({ key: JSON.parse(jwk) as JsonWebKey, format: 'jwk' })
  return { verifier, jwsAlgorithm: jwsAlgorithm(algorithm) }
}

function jwsAlgorithm(algorithm: DeviceAlgorithm): PublicKey['jwsAlgorithm'] {
  return algorithm === 'Ed25519' ? 'EdDSA' : 'ES256'
}

function isCoordinate(value: unknown): value is string {
  return typeof value === 'string' && COORDINATE.test(value)
}

/** OpenSSL refuses a point that is not on P-256; of Ed25519 it takes any 32 bytes. */
function imported(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

function refused(why: string) {
  return deny('device_key_invalid', why)
}
