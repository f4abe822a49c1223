import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allow, deny, type User, type Verdict } from '@bridgekeeper/bridge'
import { cleanText } from '@bridgekeeper/protocol'
import type { LoggedIn } from '../browser/browser-sessions.ts'
import { loggedInQuestion, visitorQuestion } from '../browser/guarded-forms.ts'
import type { Passkey } from '../ports.ts'
import { sendJson, sendRefusalJson, sendRefusalPage } from '../web/respond.ts'
import { localPath } from '../web/site.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { done } from './account-routes.ts'
import { confirmedForm, renewLogin, showChange, type View } from './change.ts'
import { CURRENT_PASSWORD, confirmationProblem } from './confirm.ts'
import { startLogin } from './finish-login.ts'
import type { Pages } from './parts.ts'
import { passkeysPage, removePasskeyPage } from './passkey-pages.ts'
import type { Passkeys } from './passkeys.ts'

const SCRIPT = readFileSync(join(import.meta.dirname, 'passkeys.browser.js'))
const LIST_PATH = '/account/passkeys'
const REMOVE_PATH = '/account/passkeys/remove'
const MAX_NAME_CHARS = 60

/** Logging in by passkey, and adding and removing them. */
export function passkeyRoutes(pages: Pages, passkeys: Passkeys): Routes {
  const { credentials, system } = pages

  function script({ response }: Visit): void {
    response
      .writeHead(200, {
        'Content-Type': 'text/javascript; charset=utf-8',
        'Content-Length': SCRIPT.length,
        'Cache-Control': 'no-cache',
        'X-Content-Type-Options': 'nosniff',
        'Cross-Origin-Resource-Policy': 'same-origin',
      })
      .end(SCRIPT)
  }

  async function list(visit: Visit): Promise<void> {
    const loggedIn = await pages.browserSessions.requireLogin(visit.request, visit.response, LIST_PATH)
    if (loggedIn === undefined) return
    const known = await credentials.passkeysOf(loggedIn.user.userId)
    const view: View = (page) => passkeysPage(page, known, system.nowMs(), passkeys.isAvailable)
    await showChange(pages, visit, loggedIn, LIST_PATH, view)
  }

  async function askRemove(visit: Visit): Promise<void> {
    const path = `${REMOVE_PATH}?${visit.query}`
    const loggedIn = await pages.browserSessions.requireLogin(visit.request, visit.response, path)
    if (loggedIn === undefined) return
    const passkey = await ownPasskey(pages, loggedIn, visit.query.get('id'))
    if (passkey === undefined) return sendRefusalPage(visit.response, pages.site, deny('not_found'))
    await showChange(pages, visit, loggedIn, path, (page) => removePasskeyPage(page, passkey))
  }

  async function remove(visit: Visit): Promise<void> {
    const sent = await confirmedForm(pages, visit, LIST_PATH, async (loggedIn, form) => {
      const passkey = await ownPasskey(pages, loggedIn, form.get('id'))
      return (page) =>
        passkey === undefined ? passkeysPage(page, [], 0, false) : removePasskeyPage(page, passkey)
    })
    if (sent === undefined) return
    const { loggedIn, form } = sent
    const { userId } = loggedIn.user
    const passkey = await ownPasskey(pages, loggedIn, form.get('id'))
    if (passkey !== undefined && (await credentials.removePasskey(userId, passkey.credentialId)))
      pages.log.logSecurityEvent({
        event: 'passkey_removed',
        userId,
        ip: visit.address.ip,
        name: passkey.name,
      })
    await renewLogin(pages, visit, loggedIn, form)
    done(pages, visit, 'passkey')
  }

  return {
    'GET /account/passkeys.js': script,
    [`GET ${LIST_PATH}`]: list,
    [`GET ${REMOVE_PATH}`]: askRemove,
    [`POST ${REMOVE_PATH}`]: remove,
    'POST /account/passkeys/begin': (visit) => beginAdding(pages, passkeys, visit),
    'POST /account/passkeys/add': (visit) => add(pages, passkeys, visit),
    'POST /login/passkey/begin': (visit) => beginLogin(pages, passkeys, visit),
    'POST /login/passkey': (visit) => login(pages, passkeys, visit),
  }
}

async function beginAdding(pages: Pages, passkeys: Passkeys, visit: Visit): Promise<void> {
  const asked = await loggedInQuestion(visit, pages)
  if (!asked.allowed) return sendRefusalJson(visit.response, asked)
  const { loggedIn, question } = asked.value
  const form = new Map([[CURRENT_PASSWORD, textOf(question[CURRENT_PASSWORD])]])
  const problem = await confirmationProblem(pages, visit, loggedIn, form)
  if (problem !== undefined)
    return sendRefusalJson(visit.response, problem.denied ?? deny('confirmation_failed'))
  const begun = await passkeys.beginAdding(loggedIn.user, loggedIn.session.sessionId)
  if (!begun.allowed) return sendRefusalJson(visit.response, begun)
  sendJson(visit.response, begun.value)
}

async function add(pages: Pages, passkeys: Passkeys, visit: Visit): Promise<void> {
  const { request, response, address } = visit
  const asked = await loggedInQuestion(visit, pages)
  if (!asked.allowed) return sendRefusalJson(response, asked)
  const { loggedIn, question } = asked.value
  const { user, session } = loggedIn
  const name = cleanText(textOf(question.name)).trim().slice(0, MAX_NAME_CHARS) || 'Passkey'
  const passkey = await passkeys.add(user, session.sessionId, name, question)
  if (passkey === undefined) return sendRefusalJson(response, deny('passkey_refused'))
  pages.log.logSecurityEvent({ event: 'passkey_added', userId: user.userId, ip: address.ip, name })
  await pages.browserSessions.start(request, response, user, address.ip)
  sendJson(response, { goTo: '/account?done=passkey' })
}

async function beginLogin(pages: Pages, passkeys: Passkeys, visit: Visit): Promise<void> {
  const asked = await visitorQuestion(visit, pages)
  if (!asked.allowed) return sendRefusalJson(visit.response, asked)
  sendJson(visit.response, await passkeys.beginLogin(asked.value.visitId))
}

async function login(pages: Pages, passkeys: Passkeys, visit: Visit): Promise<void> {
  const { response, address } = visit
  const asked = await visitorQuestion(visit, pages)
  if (!asked.allowed) return sendRefusalJson(response, asked)
  const { question } = asked.value
  const begun = await pages.door.beginCheck(address)
  if (!begun.allowed) return sendRefusalJson(response, begun)
  try {
    const user = await userOf(pages, passkeys, visit, asked.value)
    if (!user.allowed) return sendRefusalJson(response, user)
    const started = await startLogin(pages, visit, user.value, 'passkey')
    if (!started.allowed) return sendRefusalJson(response, started)
    sendJson(response, { goTo: localPath(textOf(question.returnTo)) })
  } finally {
    begun.value()
  }
}

async function userOf(
  { users, limits }: Pages,
  passkeys: Passkeys,
  { address }: Visit,
  { visitId, question }: { readonly visitId: string; readonly question: Readonly<Record<string, unknown>> },
): Promise<Verdict<User>> {
  const userId = await passkeys.login(visitId, question)
  const user = userId === undefined ? undefined : await users.findById(userId)
  if (user?.state === 'active') return allow(user)
  limits.failed(user === undefined ? 'passkey_wrong' : 'user_suspended', address, userId)
  return deny(user === undefined ? 'passkey_refused' : 'user_suspended')
}

async function ownPasskey(
  { credentials }: Pages,
  { user }: LoggedIn,
  id: string | null | undefined,
): Promise<Passkey | undefined> {
  const passkeys = await credentials.passkeysOf(user.userId)
  return passkeys.find(({ credentialId }) => credentialId === id)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
