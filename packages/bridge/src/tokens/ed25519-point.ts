import { ed25519 } from '@noble/curves/ed25519.js'

/**
 * Whether these bytes are the canonical encoding of an edwards25519 point of large order. With a key of small order,
 * anyone can make signatures that verify for any message.
 * Source: RFC 8032 sections 5.1.3 and 5.1.7 (cofactor 8). Timing does not matter: the key is public.
 */
export function isSoundPoint(encoded: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(encoded).isSmallOrder()
  } catch {
    return false
  }
}
