import { objectMembers } from '@bridgekeeper/protocol'
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { System } from '../ports.ts'

/** More than an access token of any provider has, and little enough to be looked at for nothing. */
export const MAX_TOKEN_CHARS = 8_192
/** What clocks of different machines may differ by, for times at which a token begins (not for its end). */
export const LEEWAY_SECONDS = 60
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/**
 * Headers that name a key, or change how the rest is read (RFC 7515 section 4.1, RFC 7797). We know
 * our keys and need none of them: whoever sends one tries to be verified with a key of their own.
 */
const FORBIDDEN_HEADERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64']

/** The claims of a token that is good until `exp`, in seconds. */
export type Claims = JWTPayload & { readonly exp: number }

/** What is demanded of a token; nothing of it has a default, so that none is forgotten. */
export interface TokenRules {
  readonly algorithms: readonly string[]
  readonly typ: string
  readonly issuer: string
  /** The one audience, or which one it may be. */
  readonly audience: string | ((audience: string) => boolean)
  readonly requiredClaims: readonly string[]
}

/**
 * [AUTH.5] [AUTH.11] Verifies a signed token: its shape before any cryptography, then signature,
 * algorithm, type, issuer, audience and times.
 * Source: RFC 8725 sections 2.4, 3.1, 3.3, 3.8 to 3.11.
 *
 * @param findKey finds the key; when it rejects with an error of its own, so do we
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
    // The leeway above is for a token's begin; its end is its end.
    return exp > nowSeconds ? allow({ ...payload, exp }) : deny('token_expired')
  } catch (error) {
    if (error instanceof errors.JWTExpired) return deny('token_expired')
    // The library checks claims only after the signature.
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

/** Whether it is worth verifying: bounded, three parts, objects whose keys occur once, no foreign key. */
export function isWellFormed(token: string): boolean {
  if (token.length > MAX_TOKEN_CHARS || !COMPACT.test(token)) return false
  const [header, payload] = token.split('.', 2).map((part) => objectMembers(Buffer.from(part, 'base64url')))
  if (header === undefined || payload === undefined) return false
  return !FORBIDDEN_HEADERS.some((name) => header.has(name))
}
