import type { IncomingMessage, ServerResponse } from 'node:http'
import type { System } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import type { LoggedIn } from '../browser/browser-sessions.ts'
import { PageCookie } from '../web/cookies.ts'
import type { Site } from '../web/site.ts'

const COOKIE = new PageCookie('deviceApproval')
/** Same lifetime as the code. */
const APPROVED_MS = 600_000
const YES = 'yes'

export interface ApprovalParts {
  readonly site: Site
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly system: System
}

/**
 * [OAUTH.19] Records that this login approved this machine. The library binds its steps only to cookies: an
 * attacker who plants them in another browser could enrol a machine for a user who saw no page. This record
 * is sealed for the login and invalid in any other.
 */
export function putApproval(
  response: ServerResponse,
  { site, key, system }: ApprovalParts,
  loggedIn: LoggedIn,
  deviceCode: string,
): void {
  const value = seal(key, purpose(loggedIn, deviceCode), YES, system)
  COOKIE.set(response, site, value, APPROVED_MS)
}

/** Whether this very login pressed the button for this machine. */
export function hasApproved(
  request: IncomingMessage,
  { site, key }: Pick<ApprovalParts, 'site' | 'key'>,
  loggedIn: LoggedIn,
  deviceCode: string,
): boolean {
  return unseal(key, purpose(loggedIn, deviceCode), COOKIE.of(request, site) ?? '') === YES
}

function purpose({ session }: LoggedIn, deviceCode: string): string {
  return `device approval ${session.sessionId} ${deviceCode}`
}
