import {
  createPrivateKey,
  generateKeyPairSync,
  hash,
  type JsonWebKey,
  type KeyObject,
  sign,
} from 'node:crypto'

export interface ProofKey {
  readonly privateKey: KeyObject
  readonly alg: 'ES256' | 'Ed25519'
  readonly jwk: JsonWebKey
  /** RFC 7638 thumbprint. */
  readonly keyId: string
}

export function proofKey(alg: 'ES256' | 'Ed25519' = 'ES256'): ProofKey {
  const pair =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const { kty, crv, x, y } = pair.publicKey.export({ format: 'jwk' })
  const jwk: JsonWebKey = { crv: String(crv), kty: String(kty), x: String(x), ...(y !== undefined && { y }) }
  const keyId = hash('sha256', JSON.stringify(jwk), 'base64url')
  return {
    privateKey: createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' })),
    alg,
    jwk,
    keyId,
  }
}

const encode = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Signs any value as a proof; text is used unchanged. */
export function signProof(key: ProofKey, claims: object | string, header: object | string = {}): string {
  const head =
    typeof header === 'string' ? header : { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...header }
  const input = `${encode(head)}.${encode(claims)}`
  const digest = key.alg === 'ES256' ? 'sha256' : null
  const signature = sign(digest, Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
