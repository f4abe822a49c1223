import type { IncomingMessage, ServerResponse } from 'node:http'
import type { System } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import { PageCookie } from '../web/cookies.ts'
import { redirect } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import type { LoggedIn } from './browser-sessions.ts'

export type LoginMethod = 'password' | 'password_and_code' | 'passkey' | 'provider'

/** Records how and when this browser logged in. A stolen access token alone does not contain it. */
const RECENT_COOKIE = new PageCookie('confirmed')
const RECENT_MS = 300_000

interface RecentParts {
  readonly site: Site
  readonly key: Uint8Array
  readonly system: System
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Notes for five minutes, in a sealed cookie, how this login began. */
export function noteLogin(
  { site, key, system }: RecentParts,
  response: ServerResponse,
  loggedIn: LoggedIn,
  method: LoginMethod,
): void {
  const proof = `${method} ${system.nowMs() + RECENT_MS}`
  RECENT_COOKIE.set(response, site, seal(key, recentPurpose(loggedIn), proof, system), RECENT_MS)
}

/** Whether this login began within the last five minutes by passkey or provider. */
export function isConfirmed(
  parts: RecentParts,
  visit: Pick<Exchange, 'request'>,
  loggedIn: LoggedIn,
): boolean {
  const method = recentMethod(parts, visit, loggedIn)
  return method === 'passkey' || method === 'provider'
}

/**
 * [ACCT.9] Sends a user who logged in more than five minutes ago to the login page, and then back. Accepts
 * any method of logging in.
 * @param returnTo path of ours
 * @returns whether the login is recent; otherwise the request is answered
 */
export function requireRecentLogin(
  parts: RecentParts,
  visit: Exchange,
  loggedIn: LoggedIn,
  returnTo: string,
): boolean {
  if (recentMethod(parts, visit, loggedIn) !== undefined) return true
  redirect(visit.response, parts.site, `/login?again=1&returnTo=${encodeURIComponent(returnTo)}`)
  return false
}

/** Method by which this login began; `undefined` if that was over five minutes ago. */
function recentMethod(
  { site, key, system }: RecentParts,
  { request }: Pick<Exchange, 'request'>,
  loggedIn: LoggedIn,
): string | undefined {
  const proof = unseal(key, recentPurpose(loggedIn), RECENT_COOKIE.of(request, site) ?? '')
  const [method, untilMs] = proof?.split(' ') ?? []
  return Number(untilMs) > system.nowMs() ? method : undefined
}

function recentPurpose({ session: { sessionId } }: LoggedIn): string {
  return `recent login ${sessionId}`
}
