import { SignJWT } from 'jose'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, Principal, System, User, UserStore } from '../ports.ts'
import { type TokenRules, verifyJwt } from './jwt.ts'
import { Recall } from './recall.ts'
import { readScopes } from './scopes.ts'

export interface IssuedToken {
  readonly accessToken: string
  readonly sessionId: string
  readonly userId: string
  /** ISO 8601, UTC. */
  readonly expiresAt: string
}

export interface Tokens extends Authenticator {
  forget(userId: string): void
  /**
   * A token for a new login of this user.
   * @param scopes what it allows; everything unless given
   */
  issue(user: User, lifetimeMs: number, scopes?: readonly string[]): Promise<IssuedToken>
}

const ALGORITHM = 'HS256'
const RULES: TokenRules = {
  algorithms: [ALGORITHM],
  typ: 'at+jwt',
  issuer: 'bridgekeeper',
  audience: 'bridgekeeper',
  requiredClaims: ['sub', 'sid', 'tv', 'exp', 'iat', 'jti'],
}

/**
 * Access tokens of the standalone bridge: JWTs signed with one secret.
 * Source: RFC 8725 sections 3.1, 3.8 to 3.12; RFC 9068 section 2 (`at+jwt`).
 *
 * @param secret at least 32 bytes; whoever has it can make tokens
 */
export function createTokens(secret: Uint8Array, users: UserStore, system: System): Tokens {
  const recalled = new Recall(system)

  async function authenticate(token: string): Promise<Verdict<Principal>> {
    const remember = recalled.begin(token)
    const verified = await verifyJwt(token, secret, RULES, system)
    if (!verified.allowed) return verified
    const { sub, sid, tv, exp, scope } = verified.value
    if (typeof sub !== 'string' || typeof sid !== 'string' || typeof tv !== 'number')
      return deny('token_invalid')
    if (scope !== undefined && typeof scope !== 'string') return deny('token_invalid')

    const user = await users.findById(sub)
    if (user === undefined) return deny('user_unknown')
    if (user.tokenVersion !== tv) return deny('token_invalid', 'It was revoked.')
    if (user.state !== 'active') return deny('user_suspended')

    const principal: Principal = {
      userId: sub,
      sessionId: sid,
      expiresAtMs: exp * 1_000,
      ...(scope !== undefined && { scopes: readScopes(scope) }),
    }
    remember(principal)
    return allow(principal)
  }

  async function issue(user: User, lifetimeMs: number, scopes?: readonly string[]): Promise<IssuedToken> {
    const sessionId = system.randomBytes(16).toString('hex')
    const nowSeconds = Math.floor(system.nowMs() / 1_000)
    const expiresAtSeconds = nowSeconds + Math.ceil(lifetimeMs / 1_000)
    const limits = scopes === undefined ? {} : { scope: scopes.join(' ') }
    const accessToken = await new SignJWT({ sid: sessionId, tv: user.tokenVersion, ...limits })
      .setProtectedHeader({ alg: ALGORITHM, typ: RULES.typ })
      .setIssuer(RULES.issuer)
      .setAudience(RULES.audience)
      .setSubject(user.userId)
      .setJti(system.randomBytes(16).toString('hex'))
      .setIssuedAt(nowSeconds)
      .setExpirationTime(expiresAtSeconds)
      .sign(secret)
    const expiresAt = new Date(expiresAtSeconds * 1_000).toISOString()
    return { accessToken, sessionId, userId: user.userId, expiresAt }
  }

  return {
    authenticate,
    recall: (token) => recalled.get(token),
    forget: (userId) => recalled.forget(userId),
    issue,
  }
}
