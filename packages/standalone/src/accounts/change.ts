import { codes } from '@bridgekeeper/protocol'
import type { LoggedIn } from '../browser/browser-sessions.ts'
import { loggedInForm } from '../browser/guarded-forms.ts'
import type { Form } from '../web/form-body.ts'
import type { Notice, PageOptions } from '../web/layout.ts'
import { retryHeaders, sendPage } from '../web/respond.ts'
import type { Visit } from '../web/visit.ts'
import { actorOf } from './acting.ts'
import { confirmationFields, confirmationOf, confirmationProblem } from './confirm.ts'
import { endingFields, tickedGroups } from './ending.ts'
import type { Pages } from './parts.ts'
import type { ChangePage } from './security-pages.ts'

/** Content of a page of this kind; some pages add to the common part. */
export type View = (page: ChangePage) => PageOptions

/** [LOGIN.7] After a password or factor has changed: starts a login with a new id, and ends what is ticked. */
export async function renewLogin(pages: Pages, visit: Visit, before: LoggedIn, form: Form): Promise<void> {
  const { browserSessions, operations } = pages
  const { user } = before
  const { request, response, address } = visit
  const { session } = await browserSessions.start(request, response, user, address.ip)
  const kept = { userId: user.userId, keptId: session.sessionId }
  await operations.sessions.endGroups(kept, tickedGroups(form), actorOf(visit, before))
}

/** Shows a page of this kind to the logged-in user. */
export async function show(pages: Pages, visit: Visit, path: string, view: View): Promise<void> {
  const loggedIn = await pages.browserSessions.requireLogin(visit.request, visit.response, path)
  if (loggedIn !== undefined) await showChange(pages, visit, loggedIn, path, view)
}

/** The page once more, such as with what was wrong. */
export async function showChange(
  pages: Pages,
  visit: Visit,
  loggedIn: LoggedIn,
  path: string,
  view: View,
  notice?: Notice,
  status = notice === undefined ? 200 : 403,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const confirmation = await confirmationOf(pages, visit, loggedIn)
  const page: ChangePage = {
    site: pages.site,
    loggedIn,
    confirmation: confirmationFields(pages, confirmation, path),
    ending: await endingFields(pages, loggedIn.user.userId),
    notice,
  }
  sendPage(visit.response, view(page), status, headers)
}

/**
 * [ACCT.5] The form of a user who confirmed their identity. @returns `undefined` if the request is already
 * answered
 */
export async function confirmedForm(
  pages: Pages,
  visit: Visit,
  path: string,
  view: (loggedIn: LoggedIn, form: Form) => View | Promise<View>,
): Promise<{ readonly loggedIn: LoggedIn; readonly form: Form } | undefined> {
  const sent = await loggedInForm(visit, pages, path)
  if (sent === undefined) return undefined
  const { loggedIn, form } = sent
  const problem = await confirmationProblem(pages, visit, loggedIn, form)
  if (problem === undefined) return sent
  const { denied, text } = problem
  const status = denied === undefined ? 403 : codes[denied.code].http
  const headers = denied === undefined ? {} : retryHeaders(denied)
  await showChange(pages, visit, loggedIn, path, await view(loggedIn, form), bad(text), status, headers)
  return undefined
}

export function bad(text: string): Notice {
  return { kind: 'bad', text }
}
