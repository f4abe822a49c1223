import { allow, type Denied, deny, type User, type Verdict } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import { z } from 'zod'
import { visitorForm } from '../browser/guarded-forms.ts'
import { PageCookie } from '../web/cookies.ts'
import { html } from '../web/html.ts'
import { sendAway, sendOnward, sendPage, sendRefusalPage } from '../web/respond.ts'
import { localPath, type Site } from '../web/site.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { done } from './account-routes.ts'
import { bad, confirmedForm, renewLogin, show, showChange } from './change.ts'
import { startLogin } from './finish-login.ts'
import type { LoginFailure } from './login-limits.ts'
import type { LoginProvider, ProviderIdentity } from './login-provider.ts'
import { providerPage } from './login-provider-pages.ts'
import type { Pages } from './parts.ts'

/** Lax, because the provider redirects back from another site. */
const BEGUN_COOKIE = new PageCookie('providerLogin', 'lax')
/** Holds the identity from the provider until a page with the user's login links it. */
const FOUND_COOKIE = new PageCookie('providerFound')
const FOUND_MS = 60_000
const BEGUN_MS = 600_000
/** Accounts at the provider that one user may be linked with. */
export const MAX_LINKS = 8
const PURPOSE = 'login at the provider'
const LINK_PATH = '/account/provider'
const FINISH_PATH = `${LINK_PATH}/finish`

/** State that the browser keeps during the visit to the provider. */
const begunSchema = z.object({
  checks: z.object({ state: z.string(), nonce: z.string(), verifier: z.string() }),
  returnTo: z.string(),
  /** The current login of this browser, which will be linked or replaced. */
  sessionId: z.string().optional(),
  isLink: z.boolean(),
  untilMs: z.number(),
})
type BegunLogin = z.infer<typeof begunSchema>

const foundSchema = z.object({ issuer: z.string(), subject: z.string(), untilMs: z.number() })

/** Routes for logging in with the operator's provider, and for linking an account with it. */
export function providerRoutes(pages: Pages, loginProvider: LoginProvider): Routes {
  const { credentials, log } = pages
  const { name } = loginProvider.settings

  async function login(visit: Visit): Promise<void> {
    const sent = await visitorForm(visit, pages)
    if (sent === undefined) return
    const before = await pages.browserSessions.loggedInUser(visit.request, visit.response)
    await redirectToProvider(pages, loginProvider, visit, {
      returnTo: localPath(sent.form.get('returnTo')),
      sessionId: before?.session.sessionId,
      isLink: false,
    })
  }

  async function link(visit: Visit): Promise<void> {
    const sent = await confirmedForm(pages, visit, LINK_PATH, () => (page) => providerPage(page, name, false))
    if (sent === undefined) return
    const { sessionId } = sent.loggedIn.session
    await redirectToProvider(pages, loginProvider, visit, { returnTo: FINISH_PATH, sessionId, isLink: true })
  }

  async function unlink(visit: Visit): Promise<void> {
    const sent = await confirmedForm(pages, visit, LINK_PATH, () => (page) => providerPage(page, name, true))
    if (sent === undefined) return
    const { userId } = sent.loggedIn.user
    const hasOther = (await pages.passwords.has(userId)) || (await credentials.passkeysOf(userId)).length > 0
    if (!hasOther) {
      const notice = bad('Set a password or add a passkey first. Otherwise you could not log in any more.')
      return showChange(
        pages,
        visit,
        sent.loggedIn,
        LINK_PATH,
        (page) => providerPage(page, name, true),
        notice,
      )
    }
    for (const { issuer, subject } of await credentials.linkedIdentitiesOf(userId)) {
      await credentials.unlinkIdentity(userId, issuer, subject)
      log.logSecurityEvent({ event: 'upstream_unlinked', userId, ip: visit.address.ip })
    }
    await renewLogin(pages, visit, sent.loggedIn, sent.form)
    done(pages, visit, 'unlinked')
  }

  async function showLink(visit: Visit): Promise<void> {
    const loggedIn = await pages.browserSessions.requireLogin(visit.request, visit.response, LINK_PATH)
    if (loggedIn === undefined) return
    const isLinked = (await credentials.linkedIdentitiesOf(loggedIn.user.userId)).length > 0
    await show(pages, visit, LINK_PATH, (page) => providerPage(page, name, isLinked))
  }

  return {
    'POST /login/sso': login,
    'GET /login/sso/callback': (visit) => handleCallback(pages, loginProvider, visit),
    [`GET ${LINK_PATH}`]: showLink,
    [`POST ${LINK_PATH}/link`]: link,
    [`GET ${FINISH_PATH}`]: (visit) => finishLink(pages, visit),
    [`POST ${LINK_PATH}/unlink`]: unlink,
  }
}

/** Redirects to the provider, and stores the values to verify on return in a cookie. */
async function redirectToProvider(
  { site, key, system }: Pages,
  loginProvider: LoginProvider,
  { response }: Visit,
  begun: Pick<BegunLogin, 'returnTo' | 'isLink'> & { readonly sessionId: string | undefined },
): Promise<void> {
  const request = await loginProvider.begin().catch(() => undefined)
  if (request === undefined) return sendRefusalPage(response, site, deny('provider_unavailable'))
  const untilMs = system.nowMs() + BEGUN_MS
  const value = seal(key, PURPOSE, JSON.stringify({ ...begun, checks: request.checks, untilMs }), system)
  BEGUN_COOKIE.set(response, site, value, BEGUN_MS)
  sendAway(response, site, request.url)
}

/** [SSO.1] Handles the redirect back from the provider, once per visit. */
async function handleCallback(pages: Pages, loginProvider: LoginProvider, visit: Visit): Promise<void> {
  const { site, key, system } = pages
  const { request, response, address } = visit
  const text = unseal(key, PURPOSE, BEGUN_COOKIE.of(request, site) ?? '')
  BEGUN_COOKIE.clear(response, site)
  const begun = text === undefined ? undefined : begunSchema.parse(JSON.parse(text))
  if (begun === undefined || begun.untilMs <= system.nowMs())
    return sendRefusalPage(response, site, deny('form_stale'))
  const identity = await providerIdentity(pages, loginProvider, visit, begun)
  if (!identity.allowed) return sendRefusalPage(response, site, identity)
  if (begun.isLink) return keepFound(pages, visit, begun, identity.value)
  const found = await userOf(pages, loginProvider, visit, identity.value)
  if (typeof found === 'string') {
    pages.limits.failed(found, address)
    return sendRefusalPage(response, site, deny(found === 'user_suspended' ? found : 'provider_user_unknown'))
  }
  if ('allowed' in found) return sendRefusalPage(response, site, found)
  // Ends an earlier login by its sealed id: another site redirected here, so the browser sent no strict
  // cookies.
  const before = begun.sessionId === undefined ? undefined : await pages.sessions.find(begun.sessionId)
  if (before !== undefined) await pages.sessions.end(before, 'replaced', address.ip)
  const started = await startLogin(pages, visit, found, 'provider')
  if (!started.allowed) return sendRefusalPage(response, site, started)
  sendOnward(response, site, localPath(begun.returnTo))
}

/** Fetches the user behind this answer from the provider. */
async function providerIdentity(
  { door, limits }: Pages,
  loginProvider: LoginProvider,
  { query, address }: Visit,
  { checks }: BegunLogin,
): Promise<Verdict<ProviderIdentity>> {
  const begun = await door.beginCheck(address)
  if (!begun.allowed) return begun
  try {
    return allow(await loginProvider.finish(query, checks))
  } catch {
    limits.failed('provider_refused', address)
    return deny('provider_refused')
  } finally {
    begun.value()
  }
}

/** [SSO.2] [SSO.3] Finds the user by issuer and subject, never by an email that already has an account. */
async function userOf(
  { credentials, users, limits, operations }: Pages,
  { settings }: LoginProvider,
  { address }: Visit,
  { issuer, subject, verifiedEmail }: ProviderIdentity,
): Promise<User | LoginFailure | Denied> {
  const userId = await credentials.findLinkedUser(issuer, subject)
  const known = userId === undefined ? undefined : await users.findById(userId)
  if (known !== undefined) return known.state === 'active' ? known : 'user_suspended'
  if (!settings.createUsers || verifiedEmail === undefined || userId !== undefined)
    return 'provider_user_unknown'
  const within = limits.newUser(address)
  if (!within.allowed) return within
  const added = await operations.users.addNew(verifiedEmail, { ip: address.ip })
  if (added === undefined) return 'provider_user_unknown'
  await credentials.linkIdentity(issuer, subject, added.userId)
  return added
}

/**
 * [SSO.5] Seals the found identity for the login that requested it. Browsers do not send strict cookies on
 * this request, so a page of this site reads it with those cookies.
 */
function keepFound(
  { site, key, system }: Pages,
  { response }: Visit,
  { sessionId = '', returnTo }: BegunLogin,
  { issuer, subject }: ProviderIdentity,
): void {
  const found = { issuer, subject, untilMs: system.nowMs() + FOUND_MS }
  const value = seal(key, foundPurpose(sessionId), JSON.stringify(found), system)
  FOUND_COOKIE.set(response, site, value, FOUND_MS)
  sendOnward(response, site, returnTo)
}

function foundPurpose(sessionId: string): string {
  return `found at the provider for ${sessionId}`
}

/** [SSO.5] Links the provider's identity only to the login that requested it. */
async function finishLink(pages: Pages, visit: Visit): Promise<void> {
  const { site, key, system, credentials, log } = pages
  const { request, response, address } = visit
  const loggedIn = await pages.browserSessions.requireLogin(request, response, FINISH_PATH)
  if (loggedIn === undefined) return
  const { userId } = loggedIn.user
  const text = unseal(key, foundPurpose(loggedIn.session.sessionId), FOUND_COOKIE.of(request, site) ?? '')
  FOUND_COOKIE.clear(response, site)
  const found = text === undefined ? undefined : foundSchema.parse(JSON.parse(text))
  if (found === undefined || found.untilMs <= system.nowMs())
    return sendRefusalPage(response, site, deny('form_stale'))
  const { issuer, subject } = found
  const links = await credentials.linkedIdentitiesOf(userId)
  if (links.length >= MAX_LINKS)
    return sendNotLinked(
      visit,
      site,
      `You are linked with ${links.length} accounts there. Unlink them first.`,
    )
  if (await credentials.linkIdentity(issuer, subject, userId)) {
    log.logSecurityEvent({ event: 'upstream_linked', userId, ip: address.ip })
    return done(pages, visit, 'linked')
  }
  if ((await credentials.findLinkedUser(issuer, subject)) === userId) return done(pages, visit, 'linked')
  sendNotLinked(visit, site, 'That account at the provider is already linked to another user.')
}

function sendNotLinked({ response }: Visit, site: Site, why: string): void {
  const main = html`<p><a class="button" href="${site.base}/account">Back to your account</a></p>`
  sendPage(response, { site, title: 'Not linked', main, narrow: true, notice: bad(why) }, 409)
}
