import { USER_SCOPES } from '@bridgekeeper/protocol'
import { SignJWT } from 'jose'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { Revocation, SessionStore } from '../ports/sessions.ts'
import type { Authenticator, Principal, System, User, UserStore } from '../ports.ts'
import { type TokenRules, verifyJwt } from './jwt.ts'
import { Recall } from './recall.ts'
import { readScopes } from './scopes.ts'
import { noteUse } from './session-use.ts'

export interface IssuedToken {
  readonly accessToken: string
  readonly sessionId: string
  readonly userId: string
  /** ISO 8601, UTC. */
  readonly expiresAt: string
}

export interface Tokens extends Authenticator {
  forget(revoked: Revocation): void
  /**
   * Issues a token for a new login session, which ends with it.
   * @param scopes scopes of the token; without them it is unlimited
   */
  issue(user: User, lifetimeMs: number, scopes?: readonly string[]): Promise<IssuedToken>
  /** Issues a further token of an existing login session. */
  renew(user: User, sessionId: string, lifetimeMs: number, scopes?: readonly string[]): Promise<IssuedToken>
}

const ALGORITHM = 'HS256'
const AUDIENCE = 'bridgekeeper'
const RULES: TokenRules = {
  algorithms: [ALGORITHM],
  typ: 'at+jwt',
  issuer: 'bridgekeeper',
  audience: (audience) => audience === AUDIENCE,
  requiredClaims: ['sub', 'sid', 'tv', 'exp', 'iat', 'jti'],
}

/**
 * Access tokens of the standalone node: JWTs signed with one secret. Source: RFC 8725 sections 3.1, 3.8 to
 * 3.12; RFC 9068 section 2 (`at+jwt`).
 *
 * @param secret at least 32 bytes; its holder can make tokens
 * @param sessions if given, a token whose login session has ended is refused
 * @param recalled cache shared with other verifiers of this bridge
 */
export function createTokens(
  secret: Uint8Array,
  users: Pick<UserStore, 'findById'>,
  system: System,
  sessions?: SessionStore,
  recalled: Recall = new Recall(system),
): Tokens {
  async function authenticate(token: string): Promise<Verdict<Principal>> {
    const remember = recalled.begin(token)
    const verified = await verifyJwt(token, () => secret, RULES, system)
    if (!verified.allowed) return verified
    const { sub, sid, tv, exp, scope } = verified.value
    if (typeof sub !== 'string' || typeof sid !== 'string' || typeof tv !== 'number')
      return denyGenuine('token_invalid')
    if (scope !== undefined && typeof scope !== 'string') return denyGenuine('token_invalid')

    const user = await users.findById(sub)
    if (user === undefined) return deny('user_unknown')
    if (user.tokenVersion !== tv) return deny('login_revoked')
    if (user.state !== 'active') return deny('user_suspended')
    if (!(await isOpen(sessions, sid, sub, system))) return deny('login_revoked')

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
    const sessionId = newSessionId(system)
    const nowMs = system.nowMs()
    await sessions?.add({
      sessionId,
      userId: user.userId,
      kind: 'token',
      label: 'token issue',
      scopes: scopes ?? USER_SCOPES,
      createdAtMs: nowMs,
      seenAtMs: nowMs,
      expiresAtMs: nowMs + lifetimeMs + 1_000,
    })
    return sign(secret, system, { user, sessionId, lifetimeMs, scopes })
  }

  return {
    authenticate,
    recall: (token) => recalled.get(token),
    forget: (revoked) => recalled.forget(revoked),
    issue,
    renew: (user, sessionId, lifetimeMs, scopes) =>
      sign(secret, system, { user, sessionId, lifetimeMs, scopes }),
  }
}

/** [LOGIN.1] Without a session store, a login ends with its tokens. */
async function isOpen(
  sessions: SessionStore | undefined,
  sessionId: string,
  userId: string,
  system: System,
): Promise<boolean> {
  if (sessions === undefined) return true
  const session = await sessions.find(sessionId)
  const nowMs = system.nowMs()
  if (session === undefined || session.userId !== userId || session.expiresAtMs <= nowMs) return false
  await noteUse(sessions, session, nowMs)
  return true
}

/** Content of a new token. */
interface Grant {
  readonly user: User
  readonly sessionId: string
  readonly lifetimeMs: number
  readonly scopes: readonly string[] | undefined
}

async function sign(
  secret: Uint8Array,
  system: System,
  { user, sessionId, lifetimeMs, scopes }: Grant,
): Promise<IssuedToken> {
  const nowSeconds = Math.floor(system.nowMs() / 1_000)
  const expiresAtSeconds = nowSeconds + Math.ceil(lifetimeMs / 1_000)
  const limits = scopes === undefined ? {} : { scope: scopes.join(' ') }
  const accessToken = await new SignJWT({ sid: sessionId, tv: user.tokenVersion, ...limits })
    .setProtectedHeader({ alg: ALGORITHM, typ: RULES.typ })
    .setIssuer(RULES.issuer)
    .setAudience(AUDIENCE)
    .setSubject(user.userId)
    .setJti(system.randomBytes(16).toString('hex'))
    .setIssuedAt(nowSeconds)
    .setExpirationTime(expiresAtSeconds)
    .sign(secret)
  const expiresAt = new Date(expiresAtSeconds * 1_000).toISOString()
  return { accessToken, sessionId, userId: user.userId, expiresAt }
}

/** 128 random bits, derived from nothing that can be read or guessed. */
export function newSessionId(system: System): string {
  return system.randomBytes(16).toString('hex')
}
