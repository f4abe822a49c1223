import { createHmac, timingSafeEqual } from 'node:crypto'
import { isObject, parseJson } from '@bridgekeeper/protocol'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { System } from '../ports.ts'
import { type Claims, isWellFormed, LEEWAY_SECONDS } from './jwt.ts'

/** What is demanded of a token of ours. */
export interface OwnTokenRules {
  readonly typ: string
  readonly issuer: string
  readonly audience: string
  readonly requiredClaims: readonly string[]
}

const ALGORITHM = 'HS256'

/**
 * [AUTH.5] [AUTH.11] Verifies a token that this bridge signed with its secret: as `verifyJwt`, but without leaving
 * the turn. The library can only ask WebCrypto, whose threads cost a connection that is set up as much again as
 * its signature and claims.
 * Source: RFC 7515 sections 3.1 and 5.2, RFC 7518 section 3.2, RFC 8725 sections 3.1, 3.8 to 3.11.
 *
 * Here nothing is read that is not ours by its signature, and only what we write is taken: one algorithm, the type
 * and the audience letter by letter.
 */
export function verifyOwnJwt(
  token: string,
  secret: Uint8Array,
  rules: OwnTokenRules,
  system: System,
): Verdict<Claims> {
  if (!isWellFormed(token)) return deny('token_invalid')
  const end = token.lastIndexOf('.')
  const signed = token.slice(0, end)
  if (!isSignature(token.slice(end + 1), createHmac('sha256', secret).update(signed).digest('base64url')))
    return deny('token_invalid')

  const [header, claims] = signed.split('.').map((part) => readObject(part))
  if (header === undefined || claims === undefined) return denyGenuine('token_invalid')
  if (header.alg !== ALGORITHM || header.typ !== rules.typ) return denyGenuine('token_invalid')
  if (claims.iss !== rules.issuer || claims.aud !== rules.audience) return denyGenuine('token_invalid')
  if (!rules.requiredClaims.every((name) => Object.hasOwn(claims, name))) return denyGenuine('token_invalid')
  const { exp, iat, nbf } = claims
  const nowSeconds = system.nowMs() / 1_000
  if (typeof exp !== 'number' || typeof iat !== 'number' || iat > nowSeconds + LEEWAY_SECONDS)
    return denyGenuine('token_invalid')
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSeconds + LEEWAY_SECONDS))
    return denyGenuine('token_invalid')
  // The leeway above is for a token's begin; its end is its end.
  return exp > nowSeconds ? allow({ ...claims, exp }) : deny('token_expired')
}

/** Compares the texts, so that one signature has one text; in a time that tells nothing. */
function isSignature(given: string, right: string): boolean {
  return given.length === right.length && timingSafeEqual(Buffer.from(given), Buffer.from(right))
}

function readObject(part: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(Buffer.from(part, 'base64url').toString('utf8'))?.value
  return isObject(value) ? value : undefined
}
