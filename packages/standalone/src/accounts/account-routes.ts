import { deny } from '@bridgekeeper/bridge'
import type { Session } from '@bridgekeeper/bridge/parts'
import { loggedInForm } from '../browser/guarded-forms.ts'
import { redirect, sendPage, sendRefusalPage } from '../web/respond.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { accountPage, type NoticeName, noticeOf } from './account-pages.ts'
import { actorOf } from './acting.ts'
import type { Pages } from './parts.ts'

/** `/account`: lists connected apps, machines and logins, each with a button that ends it. */
export function accountRoutes(pages: Pages, providerName: string | undefined): Routes {
  const { site, browserSessions, sessions, devices, credentials, passwords, operations, system } = pages

  async function show(visit: Visit): Promise<void> {
    const loggedIn = await browserSessions.requireLogin(visit.request, visit.response, '/account')
    if (loggedIn === undefined) return
    const { userId } = loggedIn.user
    const view = {
      site,
      loggedIn,
      nowMs: system.nowMs(),
      sessions: newestFirst(await sessions.ofUser(userId)),
      devices: await devices.ofUser(userId),
      passkeys: await credentials.passkeysOf(userId),
      upstreams: await credentials.linkedIdentitiesOf(userId),
      providerName,
      hasPassword: await passwords.has(userId),
      hasTotp: (await credentials.find(userId))?.totpSecret !== undefined,
      notice: noticeOf(visit.query.get('done')),
    }
    sendPage(visit.response, accountPage(view))
  }

  async function endSession(visit: Visit): Promise<void> {
    const sent = await loggedInForm(visit, pages)
    if (sent === undefined) return
    const { userId } = sent.loggedIn.user
    const session = await sessions.find(sent.form.get('sessionId') ?? '')
    // [ACCT.6] A session of another user gets the same answer as an unknown one.
    if (session !== undefined && session.userId !== userId)
      return sendRefusalPage(visit.response, site, deny('not_found'))
    if (session !== undefined) await operations.sessions.end(session, actorOf(visit, sent.loggedIn))
    done(pages, visit, 'ended')
  }

  async function endOthers(visit: Visit): Promise<void> {
    const sent = await loggedInForm(visit, pages)
    if (sent === undefined) return
    const { user, session } = sent.loggedIn
    const kept = { userId: user.userId, keptId: session.sessionId }
    await operations.sessions.endGroups(kept, ['logins'], actorOf(visit, sent.loggedIn))
    done(pages, visit, 'others-ended')
  }

  async function endDevice(visit: Visit): Promise<void> {
    const sent = await loggedInForm(visit, pages)
    if (sent === undefined) return
    const device = await devices.find(sent.form.get('deviceId') ?? '')
    if (device !== undefined && device.userId !== sent.loggedIn.user.userId)
      return sendRefusalPage(visit.response, site, deny('not_found'))
    if (device !== undefined) await operations.devices.revoke(device, actorOf(visit, sent.loggedIn))
    done(pages, visit, 'ended')
  }

  return {
    // A user who types the bridge's address looks for their account.
    'GET /': async ({ response }) => redirect(response, site, '/account'),
    'GET /account': show,
    'POST /account/sessions/end': endSession,
    'POST /account/sessions/end-others': endOthers,
    'POST /account/devices/end': endDevice,
  }
}

/** Redirects to the account page, with a notice of what was done. */
export function done({ site }: Pages, { response }: Visit, notice: NoticeName): void {
  redirect(response, site, `/account?done=${notice}`)
}

function newestFirst(sessions: readonly Session[]): readonly Session[] {
  return [...sessions].sort((a, b) => b.seenAtMs - a.seenAtMs)
}
