import { deny, type User } from '@bridgekeeper/bridge'
import { cleanText } from '@bridgekeeper/protocol'
import { accountOf, type LoggedIn } from '../browser/browser-sessions.ts'
import { loggedInForm } from '../browser/guarded-forms.ts'
import { requireRecentLogin } from '../browser/recent-login.ts'
import type { UserPage } from '../operations/users.ts'
import type { Actor } from '../ports.ts'
import { type Html, html } from '../web/html.ts'
import { button, form, type PageOptions } from '../web/layout.ts'
import { moment } from '../web/moments.ts'
import { redirect, sendPage, sendRefusalPage } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { list, row } from './account-pages.ts'
import { actorOf, didAct } from './acting.ts'
import type { Pages } from './parts.ts'

const PAGE_USERS = 50
const PATH = '/account/users'

/** `/account/users`: for admins; for other users the page does not exist. */
export function usersRoutes(pages: Pages): Routes {
  const { site, users, browserSessions, operations, system } = pages

  async function show(visit: Visit): Promise<void> {
    const loggedIn = await browserSessions.requireLogin(visit.request, visit.response, PATH)
    if (loggedIn === undefined) return
    if (loggedIn.user.role !== 'admin') return sendRefusalPage(visit.response, site, deny('not_found'))
    const found = await operations.users.list(visit.query.get('after') ?? '', PAGE_USERS)
    sendPage(visit.response, usersPage(site, loggedIn, found, system.nowMs()))
  }

  /** [ACCT.7] Handles an admin's act on another user. */
  function act(change: (user: User, actor: Actor) => Promise<unknown>) {
    return async (visit: Visit): Promise<void> => {
      const sent = await loggedInForm(visit, pages, PATH)
      if (sent === undefined) return
      const { user } = sent.loggedIn
      const other = await users.findById(sent.form.get('userId') ?? '')
      if (user.role !== 'admin' || other === undefined || other.userId === user.userId)
        return sendRefusalPage(visit.response, site, deny('not_found'))
      if (!requireRecentLogin(pages, visit, sent.loggedIn, PATH)) return
      const actor = actorOf(visit, sent.loggedIn)
      if (await didAct(pages, visit, () => change(other, actor))) redirect(visit.response, site, PATH)
    }
  }

  return {
    [`GET ${PATH}`]: show,
    [`POST ${PATH}/suspend`]: act((user, actor) => operations.users.suspend(user, actor)),
    [`POST ${PATH}/resume`]: act((user, actor) => operations.users.resume(user, actor)),
    [`POST ${PATH}/logout`]: act((user, actor) => operations.revocations.logOut(user, actor)),
  }
}

function usersPage(
  site: Site,
  loggedIn: LoggedIn,
  { users, nextAfter }: UserPage,
  nowMs: number,
): PageOptions {
  const next =
    nextAfter &&
    html`<p><a href="${site.base}${PATH}?after=${encodeURIComponent(nextAfter)}">Next page</a></p>`
  const main = html`<section class="card">${list(users.map((user) => userRow(site, loggedIn, user, nowMs)))}</section>${next}`
  return { site, title: 'Users', main, account: accountOf(loggedIn) }
}

function userRow(site: Site, loggedIn: LoggedIn, user: User, nowMs: number): Html {
  const email = cleanText(user.email)
  const isOneself = user.userId === loggedIn.user.userId
  const tags = [
    isOneself && html` <span class="tag">you</span>`,
    user.role === 'admin' && html` <span class="tag">admin</span>`,
    user.state === 'suspended' && html` <span class="tag">suspended</span>`,
  ]
  const act = (path: string, text: string, kind: 'plain' | 'bad'): Html =>
    form({
      site,
      action: `${PATH}/${path}`,
      token: loggedIn.formToken,
      hidden: { userId: user.userId },
      fields: button(text, kind, `${text}: ${email}`),
    })
  const acts = [
    user.state === 'active' ? act('suspend', 'Suspend', 'bad') : act('resume', 'Resume', 'plain'),
    act('logout', 'End all logins', 'plain'),
  ]
  const about = html`<span class="soft small">Added ${moment(user.createdAtMs, nowMs)}</span>`
  return row(html`${email}${tags}`, about, isOneself ? '' : acts)
}
