import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Sessions } from '../identity/sessions.ts'
import type { Tokens } from '../identity/tokens.ts'
import type { RefreshTokenStore, Session } from '../ports/identity.ts'
import type { SecurityLog, System, User, UserStore } from '../ports.ts'
import { browserName } from './browser-name.ts'
import { clearCookie, cookieOf, PageCookie, setCookie } from './cookies.ts'
import { formToken } from './csrf.ts'
import { redirect, sendOnward } from './respond.ts'
import type { Site } from './site.ts'

export const ACCESS_COOKIE = 'accessToken'
const REFRESH_COOKIE = new PageCookie('refreshToken')
const ACCESS_MS = 900_000
/** From the login on, whatever is renewed. */
const LOGIN_MS = 30 * 86_400_000
/** Two tabs that renew at once send the same token; later, whoever does has copied it. */
const GRACE_MS = 10_000
const REFRESH_TOKEN_BYTES = 32

/** Who looks at a page. */
export interface LoggedIn {
  readonly user: User
  readonly session: Session
  /** What this login's forms bring along. */
  readonly formToken: string
}

export interface LoginParts {
  readonly site: Site
  readonly users: Pick<UserStore, 'findById'>
  readonly sessions: Sessions
  readonly refreshTokens: RefreshTokenStore
  readonly tokens: Tokens
  readonly log: Pick<SecurityLog, 'logSecurityEvent'>
  readonly system: System
  /** 32 bytes, for forms and what is sealed into cookies. */
  readonly key: Uint8Array
}

/**
 * Browsers' logins: a short access token and a rotating refresh token, each in a cookie of its own. Every
 * method rejects when a store is down.
 */
export class Logins {
  readonly #parts: LoginParts

  constructor(parts: LoginParts) {
    this.#parts = parts
  }

  /** A new login, in place of one that this browser had. Sets the cookies. */
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
    await this.#setCookies(response, user, session)
    return this.#loggedIn(user, session)
  }

  /**
   * Whose request this is; where only the access token has run out, it is renewed on the way.
   * @returns `undefined` for nobody, or somebody whose login has ended
   */
  async loggedInUser(request: IncomingMessage, response: ServerResponse): Promise<LoggedIn | undefined> {
    return (await this.#ofAccessToken(request)) ?? (await this.renew(request, response))
  }

  /**
   * The same; where nobody is logged in, the browser is sent to the login page, and then back.
   * @param returnTo path of ours @returns `undefined` where the request is answered
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

  /** [LOGIN.5] [LOGIN.6] Uses up the refresh token for a new pair. */
  async renew(request: IncomingMessage, response: ServerResponse): Promise<LoggedIn | undefined> {
    const presented = REFRESH_COOKIE.of(request, this.#parts.site)
    if (presented === undefined) return undefined
    const session = await this.#redeem(presented)
    const user = session && (await this.#parts.users.findById(session.userId))
    if (session === undefined || user?.state !== 'active') {
      this.#clearCookies(response)
      return undefined
    }
    await this.#setCookies(response, user, session)
    return this.#loggedIn(user, session)
  }

  /** Ends the login and takes its cookies away. */
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

  async #redeem(token: string): Promise<Session | undefined> {
    const { refreshTokens, sessions, system, log } = this.#parts
    const nowMs = system.nowMs()
    const redeemed = await refreshTokens.redeem(hashOf(token), nowMs)
    if (redeemed.state === 'unknown') return undefined
    const session = await sessions.find(redeemed.sessionId)
    if (session === undefined || redeemed.state === 'good') return session
    if (nowMs - redeemed.usedAtMs <= GRACE_MS) return session
    log.logSecurityEvent({ event: 'refresh_token_reused', userId: session.userId })
    await sessions.end(session, 'token_reused')
    return undefined
  }

  async #setCookies(response: ServerResponse, user: User, session: Session): Promise<void> {
    const { site, refreshTokens, tokens, system } = this.#parts
    const refreshToken = system.randomBytes(REFRESH_TOKEN_BYTES).toString('base64url')
    const { sessionId, expiresAtMs } = session
    await refreshTokens.add({ hash: hashOf(refreshToken), sessionId, expiresAtMs })
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
 * Another site led here, so the browser kept our strict cookies to itself, if it has any. A page of ours that
 * leads to the same place is asked with them.
 */
export function comesFromElsewhere(request: IncomingMessage, site: Site): boolean {
  return (
    request.method === 'GET' &&
    request.headers['sec-fetch-site'] === 'cross-site' &&
    REFRESH_COOKIE.of(request, site) === undefined
  )
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64url')
}
