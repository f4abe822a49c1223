import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { canonicalJson, isObject, thumbprint } from '@bridgekeeper/protocol'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { DeviceAlgorithm, DeviceKey } from '../ports/devices.ts'
import { isSoundPoint } from './ed25519-point.ts'

/** A device's public key, ready to verify with. */
export interface PublicKey extends Pick<DeviceKey, 'keyId' | 'algorithm' | 'jwk'> {
  /** Its algorithm's name in a JWS header (RFC 7518 section 3.1, RFC 8037 section 3.1). */
  readonly jwsAlgorithm: 'EdDSA' | 'ES256'
  readonly verifier: KeyObject
}

/** 32 bytes in base64url. The last character holds four bits, so each value has one spelling. */
const COORDINATE = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** Allowed and required members of each key type. */
const MEMBERS = { OKP: ['crv', 'kty', 'x'], EC: ['crv', 'kty', 'x', 'y'] } as const
const CURVES = { OKP: 'Ed25519', EC: 'P-256' } as const

/**
 * [DEV.1] Reads the public key of a new device: Ed25519 or P-256, on its curve, not of small order, with no
 * other members (no private part, name or address). Source: RFC 7517 section 4, RFC 7638 section 3, RFC 8037
 * section 2, RFC 8725 section 3.10; SP 800-186.
 */
export function readDeviceKey(jwk: unknown): Verdict<PublicKey> {
  if (!isObject(jwk) || (jwk.kty !== 'OKP' && jwk.kty !== 'EC'))
    return refused('It must be an Ed25519 or P-256 key.')
  const { kty, crv, x, y } = jwk
  if (Object.keys(jwk).sort().join() !== MEMBERS[kty].join())
    return refused('It must have exactly the members of a public key.')
  if (crv !== CURVES[kty]) return refused('It must be an Ed25519 or P-256 key.')
  if (!isCoordinate(x) || (kty === 'EC' && !isCoordinate(y)))
    return refused('Its coordinates cannot be read.')
  if (kty === 'OKP' && !isSoundPoint(Buffer.from(x, 'base64url')))
    return refused('It is not a valid Ed25519 point.')
  const verifier = imported(jwk)
  if (verifier === undefined) return refused('It is not a point of its curve.')
  const algorithm: DeviceAlgorithm = kty === 'OKP' ? 'Ed25519' : 'ES256'
  return allow({
    keyId: thumbprint(jwk),
    algorithm,
    jwk: canonicalJson(jwk),
    jwsAlgorithm: jwsAlgorithm(algorithm),
    verifier,
  })
}

/** The verifier of a key that was checked when it was enrolled. */
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

/** OpenSSL refuses a point that is not on P-256, but accepts any 32 bytes as Ed25519. */
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
