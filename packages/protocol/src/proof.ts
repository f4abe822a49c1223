import { hash } from 'node:crypto'
import { z } from 'zod'

/** Members of a device's proof on the wire. `transcript.ts` defines what is signed. */

/** Binding to the TLS connection that ends at the bridge (RFC 9266), or none. */
export const BINDING_TYPES = ['tls-exporter', 'none'] as const
export type BindingType = (typeof BINDING_TYPES)[number]

/** Matches a random id that the bridge creates. */
const CONNECTION_ID = /^[\w-]{1,64}$/
export const connectionIdSchema = z.string().regex(CONNECTION_ID)

/** Matches 32 bytes in base64url: a nonce, or a JWK thumbprint (RFC 7638). */
const BYTES_32 = /^[\w-]{43}$/
export const thumbprintSchema = z.string().regex(BYTES_32)

/** 64 bytes in base64url: Ed25519, or r and s of ES256 (IEEE P1363). */
export const signatureSchema = z.string().regex(/^[\w-]{86}$/)

export const proofSchema = z.object({
  keyId: thumbprintSchema,
  nonce: z.string().regex(BYTES_32),
  /** Last connection that the device remembers; empty if none. */
  previous: z.union([z.literal(''), connectionIdSchema]),
  signature: signatureSchema,
})
export type Proof = z.infer<typeof proofSchema>

/** Whether a text has the form of a thumbprint. */
export function isThumbprint(text: string): boolean {
  return BYTES_32.test(text)
}

/** The public members of a key, among any others. */
interface PublicMembers {
  readonly kty?: string | undefined
  readonly crv?: string | undefined
  readonly x?: string | undefined
  readonly y?: string | undefined
}

/**
 * Returns the thumbprint of a public key: SHA-256 over its required members in their order, as base64url.
 * Source: RFC 7638 section 3, RFC 8037 section 2.
 *
 * @throws TypeError if it is not a key of an elliptic curve
 */
export function thumbprint({ kty, crv, x, y }: PublicMembers): string {
  const members = kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x }
  const isWhole = Object.values(members).every((value) => typeof value === 'string')
  if (!isWhole || (kty !== 'EC' && kty !== 'OKP'))
    throw new TypeError('A thumbprint needs a public JWK of type EC or OKP.')
  return hash('sha256', JSON.stringify(members), 'base64url')
}
