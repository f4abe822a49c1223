import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  allow,
  deny,
  type SecurityLog,
  type System,
  type Tokens,
  type User,
  type UserStore,
  type Verdict,
} from '@bridgekeeper/bridge'
import { denyFor, type Session, SlidingWindow } from '@bridgekeeper/bridge/parts'
import type { RefreshTokenStore } from '../ports.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'
import { clearCookie, cookieOf, PageCookie, setCookie } from '../web/cookies.ts'
import { formToken } from '../web/csrf.ts'
import type { PageOptions } from '../web/layout.ts'
import { redirect, sendOnward } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import { browserName } from './browser-name.ts'
import { type RefreshToken, readRefreshToken, writeRefreshToken } from './refresh-token.ts'

const ACCESS_COOKIE = 'accessToken'
const REFRESH_COOKIE = new PageCookie('refreshToken')
const ACCESS_MS = 900_000
/** Fixed from the login on; renewals do not extend it. */
const LOGIN_MS = 30 * 86_400_000
/** Two tabs may renew at once with the same token. Later use of it means a copy. */
export const GRACE_MS = 10_000
/** Renewals of one session; a browser needs one per quarter of an hour. */
export const RENEWALS = { max: 30, windowMs: 60_000, maxKeys: 10_000 }

/** The logged-in user of a page. */
export interface LoggedIn {
  readonly user: User
  readonly session: Session
  /** Token in this login's forms. */
  readonly formToken: string
}

export interface BrowserSessionParts {
  readonly site: Site
  readonly users: Pick<UserStore, 'findById'>
  readonly sessions: LoginSessions
  readonly refreshTokens: RefreshTokenStore
  readonly tokens: Tokens
  readonly log: Pick<SecurityLog, 'logSecurityEvent'>
  readonly system: System
  /** Key of 32 bytes for forms and sealed cookies. */
  readonly key: Uint8Array
}

/**
 * Browser logins: a short-lived access token and a rotating refresh token, each in its own cookie. Every
 * method rejects while a store is down.
 */
export class BrowserSessions {
  readonly #parts: BrowserSessionParts
  readonly #renewals = new SlidingWindow(RENEWALS)

  constructor(parts: BrowserSessionParts) {
    this.#parts = parts
  }

  /** Starts a login, and replaces the browser's previous one. Sets the cookies. */
  async start(
    request: IncomingMessage,
    response: ServerResponse,
    user: User,
    ip?: string,
  ): Promise<LoggedIn> {
    const { sessions } = this.#parts
    const before = await this.#ofAccessToken(request)
    if (before !== undefined) await sessions.end(before.session, 'replaced', ip)
    const label = browserName(request.headers['user-agent'])
    const session = await sessions.start(
      { userId: user.userId, kind: 'browser', label, lifetimeMs: LOGIN_MS },
      ip,
    )
    await this.#setCookies(response, user, session, 1)
    return this.#loggedIn(user, session)
  }

  /**
   * The logged-in user of a request. Renews an expired access token on the way.
   * @returns `undefined` without a login, or if it has ended
   */
  async loggedInUser(request: IncomingMessage, response: ServerResponse): Promise<LoggedIn | undefined> {
    const known = await this.#ofAccessToken(request)
    if (known !== undefined) return known
    const renewed = await this.renew(request, response)
    return renewed.allowed ? renewed.value : undefined
  }

  /**
   * Like `loggedInUser`, but sends a browser without a login to the login page, and then back.
   * @param returnTo path of ours @returns `undefined` if the request is answered
   */
  async requireLogin(
    request: IncomingMessage,
    response: ServerResponse,
    returnTo: string,
  ): Promise<LoggedIn | undefined> {
    const loggedIn = await this.loggedInUser(request, response)
    if (loggedIn !== undefined) return loggedIn
    const { site } = this.#parts
    if (comesFromElsewhere(request, site)) sendOnward(response, site, returnTo)
    else redirect(response, site, `/login?returnTo=${encodeURIComponent(returnTo)}`)
    return undefined
  }

  /**
   * [LOGIN.5] [LOGIN.6] Exchanges the refresh token for a new pair.
   * @returns denied with `login_required`, or `rate_limit_exceeded` for a session that renews without end
   */
  async renew(request: IncomingMessage, response: ServerResponse): Promise<Verdict<LoggedIn>> {
    const { site, key, system } = this.#parts
    const cookie = REFRESH_COOKIE.of(request, site)
    if (cookie === undefined) return deny('login_required')
    const presented = readRefreshToken(key, cookie)
    if (presented !== undefined && !this.#renewals.take(presented.sessionId, system.monotonicMs()))
      return denyFor('rate_limit_exceeded', RENEWALS.windowMs)
    const renewed = presented && (await this.#redeem(presented))
    const user = renewed && (await this.#parts.users.findById(renewed.session.userId))
    if (renewed === undefined || user?.state !== 'active') {
      this.#clearCookies(response)
      return deny('login_required')
    }
    await this.#setCookies(response, user, renewed.session, renewed.generation)
    return allow(this.#loggedIn(user, renewed.session))
  }

  /** Ends the login and removes its cookies. */
  async end(response: ServerResponse, { session }: LoggedIn, ip?: string): Promise<void> {
    this.#clearCookies(response)
    await this.#parts.sessions.end(session, 'logged_out', ip)
  }

  async #ofAccessToken(request: IncomingMessage): Promise<LoggedIn | undefined> {
    const { tokens, sessions, users } = this.#parts
    const token = cookieOf(request, ACCESS_COOKIE)
    if (token === undefined) return undefined
    const principal = await tokens.authenticate(token)
    if (!principal.allowed) return undefined
    // An operator's token is for agents and callers: it manages no account.
    const session = await sessions.find(principal.value.sessionId)
    if (session?.kind !== 'browser') return undefined
    const user = await users.findById(session.userId)
    return user === undefined ? undefined : this.#loggedIn(user, session)
  }

  /** @returns the session, and the generation of its next token */
  async #redeem({
    sessionId,
    generation,
  }: RefreshToken): Promise<{ readonly session: Session; readonly generation: number } | undefined> {
    const { refreshTokens, sessions, system, log } = this.#parts
    const nowMs = system.nowMs()
    const redeemed = await refreshTokens.redeem(sessionId, generation, nowMs)
    if (redeemed.state === 'unknown') return undefined
    const session = await sessions.find(sessionId)
    if (session === undefined) return undefined
    const renewed = { session, generation: redeemed.next }
    if (redeemed.state === 'good') return renewed
    if (nowMs - (redeemed.usedAtMs ?? 0) <= GRACE_MS) return renewed
    log.logSecurityEvent({ event: 'refresh_token_reused', userId: session.userId })
    await sessions.end(session, 'token_reused')
    return undefined
  }

  async #setCookies(
    response: ServerResponse,
    user: User,
    { sessionId, expiresAtMs }: Session,
    generation: number,
  ): Promise<void> {
    const { site, key, tokens, system } = this.#parts
    const refreshToken = writeRefreshToken(key, { sessionId, generation })
    const leftMs = expiresAtMs - system.nowMs()
    const accessMs = Math.min(ACCESS_MS, leftMs)
    const { accessToken } = await tokens.renew(user, sessionId, accessMs)
    setCookie(response, ACCESS_COOKIE, accessToken, { secure: site.secure, maxAgeMs: accessMs })
    REFRESH_COOKIE.set(response, site, refreshToken, leftMs)
  }

  #clearCookies(response: ServerResponse): void {
    const { site } = this.#parts
    clearCookie(response, ACCESS_COOKIE, site.secure)
    REFRESH_COOKIE.clear(response, site)
  }

  #loggedIn(user: User, session: Session): LoggedIn {
    return { user, session, formToken: formToken(this.#parts.key, session.sessionId) }
  }
}

/**
 * Whether another site led here, so that the browser withheld strict cookies. A page of this site that
 * continues to the same path gets them.
 */
export function comesFromElsewhere(request: IncomingMessage, site: Site): boolean {
  return (
    request.method === 'GET' &&
    request.headers['sec-fetch-site'] === 'cross-site' &&
    REFRESH_COOKIE.of(request, site) === undefined
  )
}

/** The logged-in user, as the layout shows them. */
export function accountOf({ user, formToken }: LoggedIn): NonNullable<PageOptions['account']> {
  return { email: user.email, isAdmin: user.role === 'admin', formToken }
}
