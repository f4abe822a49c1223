import type { System, User, Verdict } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import { PageCookie } from '../web/cookies.ts'
import { redirect, sendOnward } from '../web/respond.ts'
import { localPath, type Site } from '../web/site.ts'
import type { Visit } from '../web/visit.ts'
import type { LoggedIn } from './browser-sessions.ts'
import type { Pages } from './parts.ts'

export type LoginMethod = 'password' | 'password_and_code' | 'passkey' | 'provider'

/** Says how and when this browser logged in. The access token alone, such as a stolen one, does not say it. */
const RECENT_COOKIE = new PageCookie('confirmed')
const RECENT_MS = 300_000

/**
 * Starts a login, sets its cookies, and notes for five minutes how the user proved to be themselves.
 * @returns denied where the user logs in too often
 */
export async function startLogin(
  pages: Pages,
  { request, response, address }: Visit,
  user: User,
  method: LoginMethod,
): Promise<Verdict<void>> {
  const { browserSessions, limits, log, site, key, system } = pages
  const { ip } = address
  const within = limits.login(user.userId, address)
  if (!within.allowed) return within
  const loggedIn = await browserSessions.start(request, response, user, ip)
  log.logSecurityEvent({ event: 'login_succeeded', userId: user.userId, ip, method })
  const proof = `${method} ${system.nowMs() + RECENT_MS}`
  RECENT_COOKIE.set(response, site, seal(key, recentPurpose(loggedIn), proof, system), RECENT_MS)
  return within
}

/** Whether this login began within the last five minutes by passkey or provider. */
export function isConfirmed(pages: Pages, visit: Visit, loggedIn: LoggedIn): boolean {
  const method = recentMethod(pages, visit, loggedIn)
  return method === 'passkey' || method === 'provider'
}

interface RecentParts {
  readonly site: Site
  readonly key: Uint8Array
  readonly system: System
}

/**
 * [ACCT.9] Asks whoever logged in more than five minutes ago to log in once more, by any method, and then to come
 * back. A user who has just logged in is not asked again.
 * @param returnTo path of ours
 * @returns whether the login is recent; otherwise the request is answered
 */
export function requireRecentLogin(
  parts: RecentParts,
  visit: Pick<Visit, 'request' | 'response'>,
  loggedIn: LoggedIn,
  returnTo: string,
): boolean {
  if (recentMethod(parts, visit, loggedIn) !== undefined) return true
  redirect(visit.response, parts.site, `/login?again=1&returnTo=${encodeURIComponent(returnTo)}`)
  return false
}

/** How this login began, where that was within the last five minutes. */
function recentMethod(
  { site, key, system }: RecentParts,
  { request }: Pick<Visit, 'request'>,
  loggedIn: LoggedIn,
): string | undefined {
  const proof = unseal(key, recentPurpose(loggedIn), RECENT_COOKIE.of(request, site) ?? '')
  const [method, untilMs] = proof?.split(' ') ?? []
  return Number(untilMs) > system.nowMs() ? method : undefined
}

/**
 * [PAGE.4] On to where a login was asked for. Pages of the account are a redirect away; what may lead to
 * another site in the end, such as an app that asks for access, begins anew from a page of ours.
 */
export function leadOn({ site }: Pages, { response }: Visit, returnTo: string | undefined): void {
  const path = localPath(returnTo)
  if (path.startsWith('/account')) redirect(response, site, path)
  else sendOnward(response, site, path)
}

function recentPurpose({ session: { sessionId } }: LoggedIn): string {
  return `recent login ${sessionId}`
}
