import { z } from 'zod'

/** Members of a device's proof on the wire. `transcript.ts` defines what is signed. */

/** Binding to the TLS connection that ends at the bridge (RFC 9266), or none. */
export const BINDING_TYPES = ['tls-exporter', 'none'] as const
export type BindingType = (typeof BINDING_TYPES)[number]

/** Random id that the bridge makes. */
const CONNECTION_ID = /^[\w-]{1,64}$/
export const connectionIdSchema = z.string().regex(CONNECTION_ID)

/** 32 bytes in base64url: a nonce, or a JWK thumbprint (RFC 7638). */
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

/** The members of a JWK that its thumbprint covers, by key type, in their order (RFC 7638 section 3.2). */
const THUMBPRINT_MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['OKP', ['crv', 'kty', 'x']],
  ['EC', ['crv', 'kty', 'x', 'y']],
])

/**
 * The text whose SHA-256, in base64url, is the thumbprint of a public key (RFC 7638 section 3).
 * @returns `undefined` for an unsupported or malformed key
 */
export function thumbprintText(jwk: Readonly<Record<string, unknown>>): string | undefined {
  const members = THUMBPRINT_MEMBERS.get(jwk.kty)
  if (members === undefined) return undefined
  const values = members.map((member) => [member, jwk[member]] as const)
  if (values.some(([, value]) => typeof value !== 'string')) return undefined
  return JSON.stringify(Object.fromEntries(values))
}
