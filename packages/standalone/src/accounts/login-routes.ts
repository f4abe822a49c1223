import type { Denied } from '@bridgekeeper/bridge'
import { denialError, seal, unseal } from '@bridgekeeper/bridge/parts'
import { codes } from '@bridgekeeper/protocol'
import { type Visitor, visitorForm, visitorOf } from '../browser/guarded-forms.ts'
import { MAX_EMAIL_CHARS } from '../operations/users.ts'
import type { Notice, PageOptions } from '../web/layout.ts'
import { redirect, retryHeaders, sendPage } from '../web/respond.ts'
import { localPath } from '../web/site.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { leadOn, startLogin } from './finish-login.ts'
import { checkCode, checkPassword } from './login-checks.ts'
import { codePage, loginPage } from './login-pages.ts'
import type { Pages } from './parts.ts'

/** Between password and code. */
const STEP_MS = 600_000

/** [ACCT.3] Unknown user and wrong password get the same answer. */
const WRONG: Notice = { kind: 'bad', text: 'The email or the password is wrong. Try again.' }
const WRONG_CODE: Notice = {
  kind: 'bad',
  text: 'The code is wrong, or was used before. Wait for the next one.',
}
const ONCE_MORE: Notice = { kind: 'good', text: 'Confirm that it is you: log in once more.' }
const SUSPENDED: Notice = { kind: 'bad', text: 'This account is suspended. Ask the operator of this bridge.' }

/** `/login`. @param providerName name of the provider, if there is one */
export function loginRoutes(pages: Pages, providerName: string | undefined): Routes {
  const { site, browserSessions } = pages

  async function show(visit: Visit): Promise<void> {
    const { request, response, query } = visit
    const returnTo = localPath(query.get('returnTo') ?? undefined)
    const again = query.get('again') === '1'
    const loggedIn = await browserSessions.loggedInUser(request, response)
    if (loggedIn !== undefined && !again) return leadOn(pages, visit, returnTo)
    const visitor = visitorOf(visit, pages)
    const confirm = loggedIn && { email: loggedIn.user.email, notice: ONCE_MORE }
    sendPage(response, loginPage({ site, visitor, returnTo, providerName, ...confirm }))
  }

  async function password(visit: Visit): Promise<void> {
    const sent = await visitorForm(visit, pages)
    if (sent === undefined) return
    const { visitor, form } = sent
    const email = (form.get('email') ?? '').trim().slice(0, MAX_EMAIL_CHARS)
    const returnTo = localPath(form.get('returnTo'))
    const again = (notice: Notice): PageOptions =>
      loginPage({ site, visitor, returnTo, email, providerName, notice })
    const result = await checkPassword(pages, visit, email, form.get('password') ?? '')
    if (result.denied !== undefined) return sendLimited(visit, again, result.denied)
    const { user } = result
    if (user === undefined) return sendPage(visit.response, again(WRONG), 403)
    if (user.state !== 'active') return sendPage(visit.response, again(SUSPENDED), 403)
    const credentials = await pages.credentials.find(user.userId)
    if (credentials?.totpSecret !== undefined) {
      const step = sealStep(pages, visitor, { userId: user.userId, returnTo })
      return sendPage(visit.response, codePage({ site, visitor, step }))
    }
    const started = await startLogin(pages, visit, user, 'password')
    if (!started.allowed) return sendLimited(visit, again, started)
    leadOn(pages, visit, returnTo)
  }

  async function code(visit: Visit): Promise<void> {
    const sent = await visitorForm(visit, pages)
    if (sent === undefined) return
    const { visitor, form } = sent
    const step = form.get('step') ?? ''
    const begun = openStep(pages, visitor, step)
    if (begun === undefined) return redirect(visit.response, site, '/login')
    const again = (notice: Notice): PageOptions => codePage({ site, visitor, step, notice })
    const result = await checkCode(pages, visit, begun.userId, form.get('code') ?? '')
    if (result.denied !== undefined) return sendLimited(visit, again, result.denied)
    const { user } = result
    if (user === undefined) return sendPage(visit.response, again(WRONG_CODE), 403)
    const started = await startLogin(pages, visit, user, 'password_and_code')
    if (!started.allowed) return sendLimited(visit, again, started)
    leadOn(pages, visit, begun.returnTo)
  }

  return {
    'GET /login': show,
    'POST /login': password,
    'POST /login/code': code,
  }
}

interface Step {
  readonly userId: string
  readonly returnTo: string
}

/** The password was right, for this browser and some minutes. */
function sealStep({ key, system }: Pages, { visitId }: Visitor, { userId, returnTo }: Step): string {
  const untilMs = system.nowMs() + STEP_MS
  return seal(key, `login step ${visitId}`, JSON.stringify([userId, returnTo, untilMs]), system)
}

function openStep({ key, system }: Pages, { visitId }: Visitor, sealed: string): Step | undefined {
  const text = unseal(key, `login step ${visitId}`, sealed)
  if (text === undefined) return undefined
  const [userId, returnTo, untilMs]: [string, string, number] = JSON.parse(text)
  return untilMs > system.nowMs() ? { userId, returnTo } : undefined
}

function sendLimited({ response }: Visit, again: (notice: Notice) => PageOptions, denied: Denied): void {
  const { message } = denialError(denied)
  const minutes = Math.ceil((denied.retryAfterSeconds ?? 60) / 60)
  const text = `${message} Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`
  sendPage(response, again({ kind: 'bad', text }), codes[denied.code].http, retryHeaders(denied))
}
