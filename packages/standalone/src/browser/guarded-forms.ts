import type { IncomingMessage } from 'node:http'
import { allow, deny, type System, type Verdict } from '@bridgekeeper/bridge'
import { PageCookie } from '../web/cookies.ts'
import { FORM_TOKEN, FORM_TOKEN_HEADER, formToken, isFormToken, isOwnOrigin } from '../web/csrf.ts'
import { type Form, readForm, readJson } from '../web/form-body.ts'
import { sendRefusalPage } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import type { Visit } from '../web/visit.ts'
import type { BrowserSessions, LoggedIn } from './browser-sessions.ts'

interface GuardParts {
  readonly site: Site
  readonly key: Uint8Array
  readonly system: System
  readonly browserSessions: BrowserSessions
}

const VISIT_COOKIE = new PageCookie('visit')
const VISIT_MS = 3_600_000
const VISIT_ID = /^[\w-]{43}$/

/** A browser before its login; its forms have a token too. */
export interface Visitor {
  readonly visitId: string
  readonly formToken: string
}

/** Returns the browser before its login, with an id to which its forms are bound. */
export function visitorOf({ request, response }: Visit, { site, key, system }: GuardParts): Visitor {
  const known = knownVisitId(request, site)
  const visitId = known ?? system.randomBytes(32).toString('base64url')
  if (known === undefined) VISIT_COOKIE.set(response, site, visitId, VISIT_MS)
  return { visitId, formToken: formToken(key, `visit ${visitId}`) }
}

/**
 * [CSRF.1] [CSRF.2] Reads a form of a browser before its login. @returns `undefined` if the request is
 * answered
 */
export async function visitorForm(
  visit: Visit,
  parts: GuardParts,
): Promise<{ readonly visitor: Visitor; readonly form: Form } | undefined> {
  const { request, response } = visit
  const { site, key } = parts
  if (!isOwnOrigin(request, site)) return refuse(visit, site, 'origin_forbidden')
  const form = await readForm(request)
  if (!form.allowed) {
    sendRefusalPage(response, site, form)
    return undefined
  }
  const visitId = knownVisitId(request, site)
  if (visitId === undefined || !isFormToken(key, `visit ${visitId}`, form.value.get(FORM_TOKEN)))
    return refuse(visit, site, 'form_stale')
  return { visitor: visitorOf(visit, parts), form: form.value }
}

/** [CSRF.1] [CSRF.2] The form of a logged-in user. @returns `undefined` if the request is answered */
export async function loggedInForm(
  visit: Visit,
  parts: GuardParts,
  returnTo = '/account',
): Promise<{ readonly loggedIn: LoggedIn; readonly form: Form } | undefined> {
  const { request, response } = visit
  const { site, key, browserSessions } = parts
  if (!isOwnOrigin(request, site)) return refuse(visit, site, 'origin_forbidden')
  const form = await readForm(request)
  if (!form.allowed) {
    sendRefusalPage(response, site, form)
    return undefined
  }
  const loggedIn = await browserSessions.requireLogin(request, response, returnTo)
  if (loggedIn === undefined) return undefined
  if (!isFormToken(key, loggedIn.session.sessionId, form.value.get(FORM_TOKEN)))
    return refuse(visit, site, 'form_stale')
  return { loggedIn, form: form.value }
}

/** [CSRF.1] [CSRF.2] A request of our script before the login. */
export async function visitorQuestion(
  { request }: Visit,
  { site, key }: GuardParts,
): Promise<Verdict<{ readonly visitId: string; readonly question: Readonly<Record<string, unknown>> }>> {
  if (!isOwnOrigin(request, site)) return deny('origin_forbidden')
  const question = await readJson(request)
  if (!question.allowed) return question
  const visitId = knownVisitId(request, site)
  if (visitId === undefined || !isFormToken(key, `visit ${visitId}`, headerOf(request)))
    return deny('form_stale')
  return allow({ visitId, question: question.value })
}

/** [CSRF.1] [CSRF.2] A request of our script for a logged-in user. */
export async function loggedInQuestion(
  { request, response }: Visit,
  { site, key, browserSessions }: GuardParts,
): Promise<Verdict<{ readonly loggedIn: LoggedIn; readonly question: Readonly<Record<string, unknown>> }>> {
  if (!isOwnOrigin(request, site)) return deny('origin_forbidden')
  const question = await readJson(request)
  if (!question.allowed) return question
  const loggedIn = await browserSessions.loggedInUser(request, response)
  if (loggedIn === undefined) return deny('login_required')
  if (!isFormToken(key, loggedIn.session.sessionId, headerOf(request))) return deny('form_stale')
  return allow({ loggedIn, question: question.value })
}

function headerOf(request: IncomingMessage): string | undefined {
  return request.headersDistinct[FORM_TOKEN_HEADER]?.[0]
}

function knownVisitId(request: IncomingMessage, site: Site): string | undefined {
  const visitId = VISIT_COOKIE.of(request, site)
  return visitId !== undefined && VISIT_ID.test(visitId) ? visitId : undefined
}

function refuse({ response }: Visit, site: Site, code: 'origin_forbidden' | 'form_stale'): undefined {
  sendRefusalPage(response, site, deny(code))
  return undefined
}
