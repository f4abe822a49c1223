import { createPublicKey, hash, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import { isCompactJws, isObject, objectMembers, parseJson, thumbprint } from '@bridgekeeper/protocol'
import type { ProofReplays } from '../limiters/proof-replays.ts'
import { canonicalPath } from './canonical-path.ts'
import { allow, deny, type Verdict } from './verdict.ts'

/** Algorithms that a proof may use: asymmetric, each for one kind of key. */
export const DPOP_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const

/** Allowed difference between a proof's time and ours, either way. */
const WINDOW_MS = 60_000
const MAX_PROOF_CHARS = 4_096
const MAX_ID_CHARS = 256
const PART = /^[\w-]{43}$/
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/** Parts of a request that a proof covers. */
export interface DpopRequest {
  readonly method: string
  /** As received, without query. */
  readonly path: string
  /** Every `DPoP` header. */
  readonly proofs: readonly string[]
}

export interface DpopClock {
  /** Wall clock, for the proof's date. */
  readonly nowMs: number
  /** Monotonic clock, for the replay window. */
  readonly monotonicMs: number
}

/**
 * Proof of possession for a key-bound token: its user holds the key that it was issued for.
 *
 * Threat: a token stolen from a log, a proxy or a client's memory; a recorded proof. Rules: [DPOP.1] exactly
 * one proof in a known form and algorithm, signed by the public key that it carries; [DPOP.2] that key is the
 * token's; [DPOP.3] for this method, address and token; [DPOP.4] made within a minute, and used once. Source:
 * RFC 9449 sections 4.2, 4.3, 7.1, 11.1.
 *
 * @param token the access token of the request, already verified
 * @param bound its user, and the thumbprint of the key that it is bound to
 * @param publicUrls the addresses of the bridge
 */
export function dpopGate(
  request: DpopRequest,
  token: string,
  bound: { readonly userId: string; readonly keyId: string },
  publicUrls: readonly string[],
  replays: ProofReplays,
  { nowMs, monotonicMs }: DpopClock,
): Verdict<void> {
  const [text] = request.proofs
  if (text === undefined || request.proofs.length > 1) return refuse('Exactly one DPoP header is required.')
  const proof = readProof(text)
  if (proof === undefined) return refuse('It is not a DPoP proof with an accepted algorithm.')
  const { claims, keyId } = proof
  if (keyId !== bound.keyId)
    return refuse('It was signed by another key than the one that the token is bound to.')
  if (claims.htm !== request.method) return refuse('It is for another method.')
  if (!isFor(claims.htu, request.path, publicUrls)) return refuse('It is for another address.')
  if (claims.ath !== hash('sha256', token, 'base64url')) return refuse('It is for another token.')
  const { iat, jti } = claims
  if (typeof iat !== 'number' || !(Math.abs(nowMs - iat * 1_000) <= WINDOW_MS))
    return refuse('It was not issued within the last minute; check the clock.')
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_CHARS) return refuse('It has no id.')
  // A proof expires one window after its date, so at most two windows from now.
  const isNew = replays.take(bound.userId, keyId, jti, monotonicMs, 2 * WINDOW_MS)
  return isNew ? allow(undefined) : refuse('It was used before, or too many proofs were sent.')
}

interface Proof {
  readonly claims: Readonly<Record<string, unknown>>
  /** RFC 7638 thumbprint. */
  readonly keyId: string
}

/** Reads a proof and verifies its signature, not its claims. */
function readProof(text: string): Proof | undefined {
  if (text.length > MAX_PROOF_CHARS || !isCompactJws(text)) return undefined
  const [headerPart, claimsPart, signaturePart] = text.split('.') as [string, string, string]
  const header = jsonOf(headerPart)
  const claims = jsonOf(claimsPart)
  if (header === undefined || claims === undefined || 'crit' in header) return undefined
  if (header.typ !== 'dpop+jwt' || !isObject(header.jwk)) return undefined
  const key = readKey(header.alg, header.jwk)
  if (key === undefined) return undefined
  const signed = Buffer.from(`${headerPart}.${claimsPart}`)
  const signature = Buffer.from(signaturePart, 'base64url')
  const holds = verify(key.digest, signed, { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, signature)
  return holds ? { claims, keyId: key.keyId } : undefined
}

/** Parses a JSON object with distinct keys; `undefined` for anything else. */
function jsonOf(part: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = Buffer.from(part, 'base64url')
  const parsed = objectMembers(bytes) && parseJson(bytes.toString('utf8'))
  return isObject(parsed?.value) ? parsed.value : undefined
}

interface ProofKey {
  readonly publicKey: KeyObject
  readonly digest: 'sha256' | null
  readonly keyId: string
}

/** Reads only the key's public members. */
function readKey(alg: unknown, jwk: Readonly<Record<string, unknown>>): ProofKey | undefined {
  if (SECRET_MEMBERS.some((member) => member in jwk)) return undefined
  const { crv, kty, x, y } = jwk
  if (typeof x !== 'string' || !PART.test(x)) return undefined
  if (alg === 'ES256' && kty === 'EC' && crv === 'P-256' && typeof y === 'string' && PART.test(y))
    return imported({ crv, kty, x, y }, 'sha256')
  if ((alg === 'Ed25519' || alg === 'EdDSA') && kty === 'OKP' && crv === 'Ed25519')
    return imported({ crv, kty, x }, null)
  return undefined
}

function imported(jwk: JsonWebKey, digest: 'sha256' | null): ProofKey | undefined {
  try {
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    return { publicKey, digest, keyId: thumbprint(jwk) }
  } catch {
    // The point is not on the curve.
    return undefined
  }
}

/** Compares scheme, host and path in their canonical spelling. Query and fragment do not count. */
function isFor(htu: unknown, path: string, publicUrls: readonly string[]): boolean {
  if (typeof htu !== 'string') return false
  const named = addressOf(htu)
  return named !== undefined && publicUrls.some((url) => addressOf(url + path) === named)
}

function addressOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username + url.password !== '') return undefined
  const path = canonicalPath(url.pathname)
  return path === undefined ? undefined : url.origin + path
}

function refuse(detail: string): Verdict<never> {
  return deny('dpop_proof_invalid', detail)
}
