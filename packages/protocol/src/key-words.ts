import { isThumbprint } from './proof.ts'
import { toWords } from './words.ts'

/** 103 bits of the thumbprint: nobody finds another key with the same words. */
const WORDS = 8

/**
 * The fingerprint of a key in eight English words, for a person to compare on two screens or over the phone. They
 * hold the thumbprint, as one number, modulo 7,772^8.
 *
 * @param keyId JWK thumbprint (RFC 7638), base64url of SHA-256
 * @returns `undefined` if `keyId` is not a thumbprint
 */
export function keyWords(keyId: string): string | undefined {
  if (!isThumbprint(keyId)) return undefined
  return toWords(BigInt(`0x${Buffer.from(keyId, 'base64url').toString('hex')}`), WORDS)
}
