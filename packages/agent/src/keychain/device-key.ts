import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { thumbprint } from '@bridgekeeper/protocol'
import { z } from 'zod'

/** JOSE name of the algorithm with which a device's key signs (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export type DeviceAlgorithm = 'EdDSA' | 'ES256'

const part = z.string().regex(/^[\w-]{43}$/)

/** A private key as a JWK (RFC 7517) without further members. */
export const privateJwkSchema = z.union([
  z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: part, d: part }),
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: part, y: part, d: part }),
])
export type PrivateJwk = z.infer<typeof privateJwkSchema>

/** The public half of a key: never with `d`. */
type PublicJwk =
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }

export const publicJwkSchema = z.union([
  z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: part }),
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: part, y: part }),
])

/** A key pair made on this machine. The private half never leaves it, and is not among the members. */
export interface DeviceKey {
  /** JWK thumbprint (RFC 7638), base64url of SHA-256. */
  readonly keyId: string
  readonly algorithm: DeviceAlgorithm
  readonly publicJwk: PublicJwk
  /** Ed25519, or ECDSA with SHA-256 in the form of IEEE P1363. */
  sign(data: Uint8Array): Buffer
}

/** Makes a private key. @param algorithm P-256 only if the key store requires it */
export function makePrivateJwk(algorithm: DeviceAlgorithm = 'EdDSA'): PrivateJwk {
  const { privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return privateJwkSchema.parse(privateKey.export({ format: 'jwk' }))
}

/**
 * Creates a signing key from a private JWK.
 * @throws if the public half does not match the private one, for example in an edited file
 */
export function deviceKey(jwk: PrivateJwk): DeviceKey {
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' })
  const publicJwk = publicHalf(jwk)
  const key: DeviceKey = {
    keyId: thumbprint(publicJwk),
    algorithm: jwk.kty === 'OKP' ? 'EdDSA' : 'ES256',
    publicJwk,
    sign: (data) =>
      jwk.kty === 'OKP'
        ? sign(null, data, privateKey)
        : sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
  if (!hasMatchingHalves(key)) throw new TypeError('The private key does not match the public key.')
  return key
}

function publicHalf(jwk: PrivateJwk): PublicJwk {
  return jwk.kty === 'OKP'
    ? { kty: jwk.kty, crv: jwk.crv, x: jwk.x }
    : { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }
}

/** Checks with a signature that both halves match, since OpenSSL does not compare the public half with `d`. */
function hasMatchingHalves(key: DeviceKey): boolean {
  const publicKey = createPublicKey({ key: key.publicJwk, format: 'jwk' })
  const data = Buffer.from('bridgekeeper key check')
  const signature = key.sign(data)
  return key.algorithm === 'EdDSA'
    ? verify(null, data, publicKey, signature)
    : verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
}
