import { deny } from '@bridgekeeper/bridge'
import { loggedInForm } from '../browser/guarded-forms.ts'
import { isOwnOrigin } from '../web/csrf.ts'
import { sendJson, sendPage, sendRefusalJson } from '../web/respond.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { loggedOutPage, logoutPage } from './login-pages.ts'
import type { Pages } from './parts.ts'

/** `/logout` and `/auth/refresh`. */
export function logoutRoutes(pages: Pages): Routes {
  const { site, browserSessions } = pages

  async function askLogout({ request, response }: Visit): Promise<void> {
    const loggedIn = await browserSessions.loggedInUser(request, response)
    if (loggedIn === undefined) return sendPage(response, loggedOutPage(site))
    sendPage(response, logoutPage(site, loggedIn.formToken))
  }

  async function logout(visit: Visit): Promise<void> {
    const sent = await loggedInForm(visit, pages, '/logout')
    if (sent === undefined) return
    await browserSessions.end(visit.response, sent.loggedIn, visit.address.ip)
    sendPage(visit.response, loggedOutPage(site))
  }

  /** [CSRF.1] Without a form's token: it tells nothing, and does what asking for a page does. */
  async function refresh({ request, response }: Visit): Promise<void> {
    if (!isOwnOrigin(request, site)) return sendRefusalJson(response, deny('origin_forbidden'))
    const renewed = await browserSessions.renew(request, response)
    if (!renewed.allowed) return sendRefusalJson(response, renewed)
    sendJson(response, { userId: renewed.value.user.userId })
  }

  return {
    'GET /logout': askLogout,
    'POST /logout': logout,
    'POST /auth/refresh': refresh,
  }
}
