import type { IncomingMessage, ServerResponse } from 'node:http'
import type { System } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import type { LoggedIn } from '../browser/browser-sessions.ts'
import { PageCookie } from '../web/cookies.ts'
import type { Site } from '../web/site.ts'

const COOKIE = new PageCookie('deviceApproval')
/** As long as the code is good. */
const APPROVED_MS = 600_000
const YES = 'yes'

export interface ApprovalParts {
  readonly site: Site
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly system: System
}

/**
 * [OAUTH.19] Puts down for the next step that this login approved this machine. The library binds its steps to
 * cookies alone; whoever planted those in another browser would enrol a machine for somebody who saw no page. This
 * one is sealed for the login, and worth nothing in any other.
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
