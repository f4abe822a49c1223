import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { thumbprint } from '@bridgekeeper/protocol'
import type { JWK } from 'jose'
import type { KeyStore } from '../ports/keys.ts'
import type { System } from '../ports.ts'
import { loadKeptKey } from './kept-key.ts'

export const ACCESS_TOKEN_ALGORITHM = 'ES256'

/** The key with which the authorization server signs. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly keyId: string
  readonly privateKey: KeyObject
  /** Includes the private part; only the authorization server may have it. */
  readonly privateJwk: JWK
  /** Published at `/oauth/jwks`. */
  readonly publicJwk: JWK
}

/**
 * Loads the installation's signing key, or creates it. A new secret creates a new key and invalidates all earlier
 * tokens.
 *
 * @param sealKey 32 bytes, derived from the installation's secret
 * @throws Error if the stored key was changed
 */
export async function loadSigningKey(
  store: KeyStore,
  sealKey: Uint8Array,
  system: System,
): Promise<SigningKey> {
  const text = await loadKeptKey({ store, sealKey, system }, 'oauth-signing', freshKey)
  const jwk = JSON.parse(text) as JsonWebKey & JWK
  const { kty, crv, x, y } = jwk
  const publicPart = { kty, crv, x, y } as JWK
  const keyId = thumbprint(publicPart)
  const marks = { kid: keyId, alg: ACCESS_TOKEN_ALGORITHM, use: 'sig' }
  return {
    keyId,
    privateKey: createPrivateKey({ key: jwk, format: 'jwk' }),
    privateJwk: { ...jwk, ...marks },
    publicJwk: { ...publicPart, ...marks },
  }
}

function freshKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return JSON.stringify(privateKey.export({ format: 'jwk' }))
}
