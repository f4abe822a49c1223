import { seal, unseal } from '../identity/sealed.ts'
import type { User } from '../ports.ts'
import { PageCookie } from './cookies.ts'
import type { LoggedIn } from './logins.ts'
import type { Pages } from './parts.ts'
import { redirect, sendOnward } from './respond.ts'
import { localPath } from './site.ts'
import type { Visit } from './visit.ts'

export type LoginMethod = 'password' | 'password_and_code' | 'passkey' | 'provider'

const CONFIRMED_COOKIE = new PageCookie('confirmed')
const CONFIRMED_MS = 300_000

/**
 * A new login, its cookies, and what was asked for before. Who came by passkey or provider need not give a
 * password for what the account page asks it for, for a few minutes.
 */
export async function startLogin(
  pages: Pages,
  { request, response, address: { ip } }: Visit,
  user: User,
  method: LoginMethod,
): Promise<LoggedIn> {
  const { logins, log, site, key, system } = pages
  const loggedIn = await logins.start(request, response, user, ip)
  log.logSecurityEvent({ event: 'login_succeeded', userId: user.userId, ip, method })
  if (method === 'passkey' || method === 'provider') {
    const untilMs = String(system.nowMs() + CONFIRMED_MS)
    const value = seal(key, confirmedPurpose(loggedIn), untilMs, system)
    CONFIRMED_COOKIE.set(response, site, value, CONFIRMED_MS)
  }
  return loggedIn
}

/** Whether this very login was by passkey or provider, minutes ago. */
export function isConfirmed({ site, key, system }: Pages, { request }: Visit, loggedIn: LoggedIn): boolean {
  const sealed = CONFIRMED_COOKIE.of(request, site) ?? ''
  const untilMs = unseal(key, confirmedPurpose(loggedIn), sealed)
  return untilMs !== undefined && Number(untilMs) > system.nowMs()
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

function confirmedPurpose({ session: { sessionId } }: LoggedIn): string {
  return `confirmed login ${sessionId}`
}
