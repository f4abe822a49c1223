import { errors, jwtVerify, SignJWT } from 'jose'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, Principal, System, User, UserStore } from '../ports.ts'

export interface IssuedToken {
  readonly accessToken: string
  readonly sessionId: string
  readonly userId: string
  /** ISO 8601, UTC. */
  readonly expiresAt: string
}

export interface Tokens extends Authenticator {
  /** A token for a new login of this user. */
  issue(user: User, lifetimeMs: number): Promise<IssuedToken>
}

const ALGORITHM = 'HS256'
const TYPE = 'at+jwt'
const ISSUER = 'bridgekeeper'
const AUDIENCE = 'bridgekeeper'

/** A verified token is not verified again for this long; a changed user takes effect within it. */
const RECALL_MS = 5_000
const RECALL_ENTRIES = 10_000

/**
 * Access tokens of the standalone bridge: JWTs signed with one secret.
 * Source: RFC 8725 sections 3.1, 3.8 to 3.12; RFC 9068 section 2 (`at+jwt`).
 *
 * @param secret at least 32 bytes; whoever has it can make tokens
 */
export function createTokens(secret: Uint8Array, users: UserStore, system: System): Tokens {
  const recalled = new Map<string, { readonly principal: Principal; readonly untilMs: number }>()

  async function authenticate(token: string): Promise<Verdict<Principal>> {
    const claims = await verifyClaims(token, secret, system)
    if (!claims.allowed) return claims
    const { sub, sid, tv, exp } = claims.value
    const user = await users.findById(sub)
    if (user === undefined) return deny('user_unknown')
    if (user.tokenVersion !== tv) return deny('token_invalid', 'It was revoked.')
    const principal: Principal = { userId: sub, sessionId: sid, expiresAtMs: exp * 1_000 }
    remember(token, principal)
    return allow(principal)
  }

  function remember(token: string, principal: Principal): void {
    const oldest = recalled.keys().next()
    if (recalled.size >= RECALL_ENTRIES && !oldest.done) recalled.delete(oldest.value)
    recalled.set(token, { principal, untilMs: system.monotonicMs() + RECALL_MS })
  }

  function recall(token: string): Principal | undefined {
    const entry = recalled.get(token)
    if (entry === undefined) return undefined
    if (entry.untilMs > system.monotonicMs() && entry.principal.expiresAtMs > system.nowMs())
      return entry.principal
    recalled.delete(token)
    return undefined
  }

  async function issue(user: User, lifetimeMs: number): Promise<IssuedToken> {
    const sessionId = system.randomBytes(16).toString('hex')
    const nowSeconds = Math.floor(system.nowMs() / 1_000)
    const expiresAtSeconds = nowSeconds + Math.ceil(lifetimeMs / 1_000)
    const accessToken = await new SignJWT({ sid: sessionId, tv: user.tokenVersion })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(user.userId)
      .setJti(system.randomBytes(16).toString('hex'))
      .setIssuedAt(nowSeconds)
      .setExpirationTime(expiresAtSeconds)
      .sign(secret)
    const expiresAt = new Date(expiresAtSeconds * 1_000).toISOString()
    return { accessToken, sessionId, userId: user.userId, expiresAt }
  }

  return { authenticate, recall, issue }
}

interface Claims {
  readonly sub: string
  readonly sid: string
  readonly tv: number
  readonly exp: number
}

async function verifyClaims(token: string, secret: Uint8Array, system: System): Promise<Verdict<Claims>> {
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ['sub', 'sid', 'tv', 'exp', 'iat', 'jti'],
      currentDate: new Date(system.nowMs()),
    })
    const { sub, sid, tv, exp } = payload
    const typed =
      typeof sub === 'string' && typeof sid === 'string' && typeof tv === 'number' && exp !== undefined
    return typed ? allow({ sub, sid, tv, exp }) : deny('token_invalid')
  } catch (error) {
    if (error instanceof errors.JWTExpired) return deny('token_expired')
    if (error instanceof errors.JOSEError) return deny('token_invalid')
    throw error
  }
}
