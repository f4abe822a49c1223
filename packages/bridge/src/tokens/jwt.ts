import { isCompactJws, objectMembers } from '@bridgekeeper/protocol'
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { System } from '../ports.ts'

/** Longer than an access token of any provider, and short enough to check unverified. */
export const MAX_TOKEN_CHARS = 8_192
/** Tolerated clock difference for `iat` and `nbf`, not for `exp`. */
export const LEEWAY_SECONDS = 60

/**
 * Headers that name a key, or change how the rest is read (RFC 7515 section 4.1, RFC 7797). The bridge knows its
 * keys, so a token with one of these is an attempt to be verified with a foreign key.
 */
const FORBIDDEN_HEADERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64']

/** The claims of a verified token. It is valid until `exp`, in seconds. */
export type Claims = JWTPayload & { readonly exp: number }

/** Requirements of a kind of token. None has a default, so that none is forgotten. */
export interface TokenRules {
  readonly algorithms: readonly string[]
  readonly typ: string
  readonly issuer: string
  /** A required audience, which may be one of several; or a check of the token's only audience. */
  readonly audience: string | ((audience: string) => boolean)
  readonly requiredClaims: readonly string[]
}

/**
 * [AUTH.5] [AUTH.11] Verifies a signed token, the bridge's own or a provider's: its shape before any cryptography,
 * then signature, algorithm, type, issuer, audience and times.
 * Source: RFC 8725 sections 2.4, 3.1, 3.3, 3.8 to 3.11.
 *
 * @param findKey finds the key
 * @throws the error of `findKey`, unless it is one of jose
 */
export async function verifyJwt(
  token: string,
  findKey: JWTVerifyGetKey,
  rules: TokenRules,
  system: System,
): Promise<Verdict<Claims>> {
  if (!isWellFormed(token)) return deny('token_invalid')
  try {
    const { payload } = await jwtVerify(token, findKey, {
      ...optionsOf(rules),
      currentDate: new Date(system.nowMs()),
    })
    const { aud, exp, iat = 0 } = payload
    const { audience } = rules
    if (typeof audience === 'function' && !(typeof aud === 'string' && audience(aud)))
      return denyGenuine('token_invalid')
    const nowSeconds = system.nowMs() / 1_000
    if (exp === undefined || iat > nowSeconds + LEEWAY_SECONDS) return denyGenuine('token_invalid')
    // `exp` has no leeway.
    return exp > nowSeconds ? allow({ ...payload, exp }) : deny('token_expired')
  } catch (error) {
    if (error instanceof errors.JWTExpired) return deny('token_expired')
    // jose checks claims after the signature.
    if (error instanceof errors.JWTClaimValidationFailed) return denyGenuine('token_invalid')
    if (error instanceof errors.JOSEError) return deny('token_invalid')
    throw error
  }
}

function optionsOf({ algorithms, requiredClaims, audience, typ, issuer }: TokenRules): JWTVerifyOptions {
  return {
    typ,
    issuer,
    ...(typeof audience === 'string' && { audience }),
    algorithms: [...algorithms],
    requiredClaims: [...requiredClaims],
    clockTolerance: LEEWAY_SECONDS,
  }
}

/** Whether a token is bounded, has three canonical parts, objects with distinct keys, and no forbidden header. */
function isWellFormed(token: string): boolean {
  if (token.length > MAX_TOKEN_CHARS || !isCompactJws(token)) return false
  const parts = token.split('.')
  if (!parts.every(isCanonical)) return false
  const [header, payload] = parts.map((part) => objectMembers(Buffer.from(part, 'base64url')))
  if (header === undefined || payload === undefined) return false
  return !FORBIDDEN_HEADERS.some((name) => header.has(name))
}

/** [AUTH.5] Whether this is the one way to write these bytes in base64url (RFC 4648 section 3.5). */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}
