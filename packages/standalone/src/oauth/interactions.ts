import type { IncomingMessage, ServerResponse } from 'node:http'
import { deny, type SecurityLog, type System } from '@bridgekeeper/bridge'
import { ACCESS_TOKEN_MS, type ClientAddress, canonicalScope, pathOf } from '@bridgekeeper/bridge/parts'
import { AGENT_CLIENT_ID } from '@bridgekeeper/protocol'
import { errors, type Provider } from 'oidc-provider'
import type { BrowserSessions, LoggedIn } from '../browser/browser-sessions.ts'
import { loggedInForm } from '../browser/guarded-forms.ts'
import { requireRecentLogin } from '../browser/recent-login.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'
import { redirect, sendOnward, sendPage, sendRefusalPage } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import { accountIdOf } from './account-id.ts'
import { consentPage } from './consent-page.ts'
import { hasApproved } from './device-approval.ts'
import { REFUSED_BY_USER } from './error-answers.ts'
import { GRANT_MS } from './oidc-provider.ts'

export interface InteractionParts {
  readonly provider: Provider
  readonly site: Site
  readonly issuer: string
  readonly browserSessions: BrowserSessions
  readonly sessions: LoginSessions
  readonly log: Pick<SecurityLog, 'logSecurityEvent'>
  readonly system: System
  /** Key of the account pages, which binds their forms. */
  readonly key: Uint8Array
}

export interface InteractionVisit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly address: ClientAddress
}

type Details = Awaited<ReturnType<Provider['interactionDetails']>>

/** An enrolment session ends with its token. */
const ENROLMENT_MS = ACCESS_TOKEN_MS
const MAX_LABEL_CHARS = 100
/** The user's answer, in the library's form. */
type Result = Parameters<Provider['interactionResult']>[2]

/**
 * [OAUTH.14] Steps between a client's request and its code: the user logs in, sees which client requests
 * which access, and allows or refuses. Each approval is a separate session, which the user can end.
 */
export class Interactions {
  readonly #parts: InteractionParts

  constructor(parts: InteractionParts) {
    this.#parts = parts
  }

  /** `GET` and `POST /interaction/:uid`. */
  async handle(visit: InteractionVisit): Promise<void> {
    const { request, response } = visit
    const details = await this.#details(request, response)
    if (details === undefined) return sendRefusalPage(response, this.#parts.site, deny('form_stale'))
    if (request.method === 'POST') return this.#answered(visit, details)
    if (request.method !== 'GET')
      return sendRefusalPage(response, this.#parts.site, deny('method_not_allowed'))
    const loggedIn = await this.#parts.browserSessions.requireLogin(request, response, visit.path)
    if (loggedIn === undefined) return
    if (!this.#isTheirs(request, details, loggedIn)) return this.#finish(visit, ANOTHER_USER)
    if (details.prompt.name === 'login') return this.#loggedIn(visit, loggedIn)
    if (!isAccountOf(details, loggedIn)) return this.#finish(visit, ANOTHER_USER)
    if (details.params.client_id === AGENT_CLIENT_ID) return this.#enrol(visit, details, loggedIn)
    if (requireRecentLogin(this.#parts, visit, loggedIn, visit.path))
      sendPage(response, consentPage(await this.#view(details, loggedIn)))
  }

  async #details(request: IncomingMessage, response: ServerResponse): Promise<Details | undefined> {
    try {
      const details = await this.#parts.provider.interactionDetails(request, response)
      return pathOf(request.url) === `/interaction/${details.uid}` ? details : undefined
    } catch (error) {
      if (error instanceof errors.SessionNotFound) return undefined
      throw error
    }
  }

  /** [OAUTH.19] A machine's next step is for the login that approved it. */
  #isTheirs(request: IncomingMessage, { deviceCode }: Details, loggedIn: LoggedIn): boolean {
    return deviceCode === undefined || hasApproved(request, this.#parts, loggedIn, deviceCode)
  }

  async #loggedIn(visit: InteractionVisit, { user, session }: LoggedIn): Promise<void> {
    const ts = Math.floor(session.createdAtMs / 1_000)
    await this.#finish(visit, { login: { accountId: accountIdOf(user), ts, remember: false } })
  }

  async #answered(visit: InteractionVisit, details: Details): Promise<void> {
    const { site, log } = this.#parts
    const posted = await loggedInForm({ ...visit, query: new URLSearchParams() }, this.#parts, visit.path)
    if (posted === undefined) return
    const { loggedIn, form } = posted
    const isAsked = details.prompt.name === 'consent' && details.params.client_id !== AGENT_CLIENT_ID
    if (!isAsked || !isAccountOf(details, loggedIn))
      return sendRefusalPage(visit.response, site, deny('form_stale'))
    const { userId } = loggedIn.user
    const { ip } = visit.address
    const clientId = String(details.params.client_id)
    if (form.get('answer') !== 'allow') {
      log.logSecurityEvent({ event: 'client_refused', userId, ip, clientId })
      return this.#finish(visit, REFUSED)
    }
    if (!requireRecentLogin(this.#parts, visit, loggedIn, visit.path)) return
    const grantId = await this.#grant(details, loggedIn, ip)
    log.logSecurityEvent({
      event: 'client_approved',
      userId,
      ip,
      clientId,
      scope: String(details.params.scope),
    })
    return this.#finish(visit, { consent: { grantId } })
  }

  /** The user has approved the machine on the page before, in this very login: `#isTheirs` has seen to that. */
  async #enrol(visit: InteractionVisit, details: Details, loggedIn: LoggedIn): Promise<void> {
    if (details.deviceCode === undefined) return this.#finish(visit, REFUSED)
    await this.#finish(visit, {
      consent: { grantId: await this.#grant(details, loggedIn, visit.address.ip) },
    })
  }

  /** A session, and the grant of the same id. */
  async #grant(details: Details, { user }: LoggedIn, ip: string | undefined): Promise<string> {
    const { provider, sessions } = this.#parts
    const clientId = String(details.params.client_id)
    const client = await provider.Client.find(clientId)
    const isAgent = clientId === AGENT_CLIENT_ID
    const name = isAgent ? `Enrolment of ${details.params.device_name}` : (client?.clientName ?? clientId)
    const lifetimeMs = isAgent
      ? ENROLMENT_MS
      : client?.grantTypeAllowed('refresh_token')
        ? GRANT_MS
        : ACCESS_TOKEN_MS
    const label = name.slice(0, MAX_LABEL_CHARS)
    const session = await sessions.start(
      { userId: user.userId, kind: 'client', label, clientId, lifetimeMs },
      ip,
    )
    const grant = new provider.Grant({ accountId: accountIdOf(user), clientId })
    grant.jti = session.sessionId
    const { missingOIDCScope, missingResourceScopes } = details.prompt.details
    if (Array.isArray(missingOIDCScope)) grant.addOIDCScope(missingOIDCScope)
    for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {}))
      grant.addResourceScope(resource, scopes as string[])
    return grant.save()
  }

  async #view(details: Details, loggedIn: LoggedIn) {
    const { site, issuer, provider } = this.#parts
    const clientId = String(details.params.client_id)
    const client = await provider.Client.find(clientId)
    const asked = Object.entries(details.prompt.details.missingResourceScopes ?? {})
    const [resource = '', scopes = []] = asked[0] ?? []
    const server = resource.slice(`${issuer}/mcp/`.length)
    return {
      site,
      loggedIn,
      uid: details.uid,
      clientName: client?.clientName,
      clientId,
      redirectUri: String(details.params.redirect_uri),
      resource,
      serverName: server === '' ? undefined : decodeURIComponent(server),
      scopes: (scopes as string[]).map(canonicalScope).filter((scope) => scope !== undefined),
      staysConnected: client?.grantTypeAllowed('refresh_token') === true,
    }
  }

  /** Continues after a form through a page of this site: the form's policy would restrict a redirect. */
  async #finish({ request, response }: InteractionVisit, result: Result): Promise<void> {
    const { provider, site } = this.#parts
    const { pathname } = new URL(await provider.interactionResult(request, response, result))
    const path = pathname.slice(site.base.length)
    if (request.method === 'POST') sendOnward(response, site, path)
    else redirect(response, site, path)
  }
}

const REFUSED: Result = {
  error: 'access_denied',
  error_description: 'the user refused',
  [REFUSED_BY_USER]: true,
}
const ANOTHER_USER: Result = {
  error: 'access_denied',
  error_description: 'another user has logged in since',
}

/** Whether the visitor is the user of this request. */
function isAccountOf({ session }: Details, { user }: LoggedIn): boolean {
  return session?.accountId === accountIdOf(user)
}
