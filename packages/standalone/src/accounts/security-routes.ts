import type { LoggedIn } from '../browser/browser-sessions.ts'
import { passwordProblem } from '../passwords/password-rules.ts'
import type { Form } from '../web/form-body.ts'
import { sendPage } from '../web/respond.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { done } from './account-routes.ts'
import { actorOf } from './acting.ts'
import { bad, confirmedForm, renewLogin, show, showChange, type View } from './change.ts'
import { loggedOutPage } from './login-pages.ts'
import type { Pages } from './parts.ts'
import { codesOffPage, codesOnPage, deletePage, passwordPage } from './security-pages.ts'

const SERVICE = 'Bridgekeeper'

/** Changing the password, switching codes on and off, and deleting the account. */
export function securityRoutes(pages: Pages): Routes {
  const { totp, credentials, log, operations } = pages

  /** [TOTP.1] A new secret, or the one that was shown already. */
  function codesOn(loggedIn: LoggedIn, again?: string): View {
    const { userId, email } = loggedIn.user
    const shown = totp.begin(userId, email, SERVICE, again)
    return (page) => codesOnPage(page, shown)
  }

  async function showCodes(visit: Visit): Promise<void> {
    const loggedIn = await pages.browserSessions.requireLogin(visit.request, visit.response, '/account/codes')
    if (loggedIn === undefined) return
    const isOn = (await credentials.find(loggedIn.user.userId))?.totpSecret !== undefined
    await showChange(pages, visit, loggedIn, '/account/codes', isOn ? codesOffPage : codesOn(loggedIn))
  }

  async function setPassword(visit: Visit): Promise<void> {
    const sent = await confirmedForm(pages, visit, '/account/password', () => passwordPage)
    if (sent === undefined) return
    const { loggedIn, form } = sent
    const { user } = loggedIn
    const password = form.get('newPassword') ?? ''
    const problem = passwordProblem(password, user.email)
    if (problem !== undefined)
      return showChange(pages, visit, loggedIn, '/account/password', passwordPage, bad(problem))
    await operations.passwords.set(user, password, actorOf(visit, loggedIn), visit.address.key)
    await renewLogin(pages, visit, loggedIn, form)
    done(pages, visit, 'password')
  }

  async function switchOn(visit: Visit): Promise<void> {
    const begun = ({ user }: LoggedIn, form: Form): string | undefined =>
      totp.begun(user.userId, form.get('begun'))
    const sent = await confirmedForm(pages, visit, '/account/codes', (loggedIn, form) =>
      codesOn(loggedIn, begun(loggedIn, form)),
    )
    if (sent === undefined) return
    const { loggedIn, form } = sent
    const { userId } = loggedIn.user
    const base32 = begun(loggedIn, form)
    const isOn = base32 !== undefined && (await totp.switchOn(userId, base32, form.get('code') ?? ''))
    if (!isOn) {
      const notice = bad('The code is wrong. Check the app again: the code changes every 30 seconds.')
      return showChange(pages, visit, loggedIn, '/account/codes', codesOn(loggedIn, base32), notice)
    }
    log.logSecurityEvent({ event: 'second_factor_added', userId, ip: visit.address.ip })
    await renewLogin(pages, visit, loggedIn, form)
    done(pages, visit, 'codes-on')
  }

  async function switchOff(visit: Visit): Promise<void> {
    const sent = await confirmedForm(pages, visit, '/account/codes', () => codesOffPage)
    if (sent === undefined) return
    const { loggedIn, form } = sent
    await totp.switchOff(loggedIn.user.userId)
    log.logSecurityEvent({
      event: 'second_factor_removed',
      userId: loggedIn.user.userId,
      ip: visit.address.ip,
    })
    await renewLogin(pages, visit, loggedIn, form)
    done(pages, visit, 'codes-off')
  }

  return {
    'GET /account/password': (visit) => show(pages, visit, '/account/password', passwordPage),
    'POST /account/password': setPassword,
    'GET /account/codes': showCodes,
    'POST /account/codes/on': switchOn,
    'POST /account/codes/off': switchOff,
    'GET /account/delete': (visit) => show(pages, visit, '/account/delete', deletePage),
    'POST /account/delete': (visit) => deleteAccount(pages, visit),
  }
}

/** [ACCT.8] */
async function deleteAccount(pages: Pages, visit: Visit): Promise<void> {
  const sent = await confirmedForm(pages, visit, '/account/delete', () => deletePage)
  if (sent === undefined) return
  const { loggedIn, form } = sent
  const { email } = loggedIn.user
  if (form.get('email')?.trim().toLowerCase() !== email.toLowerCase())
    return showChange(pages, visit, loggedIn, '/account/delete', deletePage, bad('The email is wrong.'))
  await pages.browserSessions.end(visit.response, loggedIn, visit.address.ip)
  await pages.operations.users.remove(loggedIn.user, actorOf(visit, loggedIn))
  sendPage(visit.response, {
    ...loggedOutPage(pages.site),
    notice: { kind: 'good', text: 'Your account is deleted.' },
  })
}
