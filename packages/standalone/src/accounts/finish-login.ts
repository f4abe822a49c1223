import type { User, Verdict } from '@bridgekeeper/bridge'
import { type LoginMethod, noteLogin } from '../browser/recent-login.ts'
import { redirect, sendOnward } from '../web/respond.ts'
import { localPath } from '../web/site.ts'
import type { Visit } from '../web/visit.ts'
import type { Pages } from './parts.ts'

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
  const { browserSessions, limits, log } = pages
  const { ip } = address
  const within = limits.login(user.userId, address)
  if (!within.allowed) return within
  const loggedIn = await browserSessions.start(request, response, user, ip)
  log.logSecurityEvent({ event: 'login_succeeded', userId: user.userId, ip, method })
  noteLogin(pages, response, loggedIn, method)
  return within
}

/**
 * [PAGE.4] Continues to the page that required the login. Redirects to account pages. Reaches a page that may
 * lead to another site, such as a request for access, through a page of this site.
 */
export function leadOn({ site }: Pages, { response }: Visit, returnTo: string | undefined): void {
  const path = localPath(returnTo)
  if (path.startsWith('/account')) redirect(response, site, path)
  else sendOnward(response, site, path)
}
