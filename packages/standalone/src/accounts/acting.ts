import { deny } from '@bridgekeeper/bridge'
import type { LoggedIn } from '../browser/browser-sessions.ts'
import { SetupError } from '../config/setup-error.ts'
import type { Actor } from '../ports.ts'
import { sendRefusalPage } from '../web/respond.ts'
import type { Visit } from '../web/visit.ts'
import type { Pages } from './parts.ts'

/** The logged-in user as the one who acts. */
export function actorOf({ address: { ip } }: Visit, { user: { userId } }: LoggedIn): Actor {
  return { by: userId, ip }
}

/**
 * Acts on another user, who may have been deleted since the page was shown.
 * @returns whether it is done; otherwise the request is answered
 */
export async function didAct({ site }: Pages, visit: Visit, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    if (!(error instanceof SetupError) || error.code !== 'user_unknown') throw error
    sendRefusalPage(visit.response, site, deny('not_found'))
    return false
  }
}
