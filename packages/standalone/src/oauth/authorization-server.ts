import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  allow,
  type Denied,
  deny,
  type SecurityLog,
  type System,
  type UserStore,
  type Verdict,
} from '@bridgekeeper/bridge'
import {
  type ClientAddress,
  canonicalTarget,
  type FrontDoor,
  letPagesRead,
  type Named,
  NameFinder,
  originPolicy,
  ownNames,
  rewriteTarget,
  type SessionStore,
  type SigningKey,
} from '@bridgekeeper/bridge/parts'
import { Provider } from 'oidc-provider'
import type { BrowserSessions } from '../browser/browser-sessions.ts'
import { requireRecentLogin } from '../browser/recent-login.ts'
import type { OAuthStore } from '../ports.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'
import { isOwnOrigin } from '../web/csrf.ts'
import { sendRefusalJson, sendRefusalPage } from '../web/respond.ts'
import { isOfThisMachine, type Site, siteOf } from '../web/site.ts'
import { canonicalRequest } from './canonical-request.ts'
import { codeInLink, codeKeys, DevicePages } from './device-pages.ts'
import { ErrorAnswers } from './error-answers.ts'
import { Interactions } from './interactions.ts'
import { isLasting, type Limited, OAuthLimits } from './limits.ts'
import { useMiddleware } from './middleware.ts'
import { createOidcProvider, ROUTES } from './oidc-provider.ts'
import { recordEvents } from './recorded-events.ts'

export interface AuthorizationServerParts {
  /** The bridge's own address: who issues the tokens. */
  readonly issuer: string
  readonly site: Site
  readonly signingKey: SigningKey
  /** 32 bytes: what records and cookies are sealed and signed with. */
  readonly recordKey: Uint8Array
  readonly cookieKey: Uint8Array
  /** Key of the account pages' forms. */
  readonly pageKey: Uint8Array
  readonly store: OAuthStore
  readonly users: Pick<UserStore, 'findById'>
  readonly sessionStore: SessionStore
  readonly sessions: LoginSessions
  readonly browserSessions: BrowserSessions
  readonly door: FrontDoor
  readonly log: SecurityLog
  readonly system: System
  readonly production: boolean
  readonly allowRegistration: boolean
  readonly allowedOrigins: readonly string[]
  /** Every address under which the bridge is reached, the issuer first. */
  readonly publicUrls: readonly string[]
}

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
/** The library's page that logs one user out before another, see `ROUTES.end_session`. */
const LOGOUT_PATH = `${ROUTES.end_session}/confirm`
/** Every path that the library serves, and no other: it would read more spellings of each. */
const OWN_PATHS: ReadonlySet<string> = new Set([...Object.values(ROUTES), ...METADATA, LOGOUT_PATH])
/** The same for everybody, so that pages of every origin may read it. */
const PUBLIC: ReadonlySet<string> = new Set([...METADATA, ROUTES.jwks])
/** Endpoints that apps ask by script; all others are for browsers that go there. */
const FOR_APPS: ReadonlySet<string> = new Set([
  ROUTES.token,
  ROUTES.registration,
  ROUTES.revocation,
  ROUTES.device_authorization,
])
/** Paths that end with the id of a request for access. */
const STEP_PATH = /^\/(?:interaction|oauth\/authorize|device)\/[\w-]{1,64}$/
const SESSION_COOKIE = /(?:^|;)\s*oauthSession(?:\.sig)?=[^;]*/g
/** Limits of a path besides that of every request. */
const NARROWER: Readonly<Record<string, readonly Limited[]>> = {
  [ROUTES.authorization]: ['begin'],
  [ROUTES.code_verification]: ['begin'],
  [ROUTES.device_authorization]: ['device'],
  [ROUTES.registration]: ['registration', 'registrationOfDay'],
}

/** The library under one name of the bridge. What it keeps is the same under each. */
interface NamedServer {
  readonly name: string
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void
  readonly interactions: Interactions
}

/**
 * The bridge's authorization server, with its pages: everything between a request for access and a token. It is whole
 * under each name of the bridge, since clients compare what it says of itself with the address that they know.
 */
export class AuthorizationServer {
  readonly #parts: AuthorizationServerParts
  readonly #devicePages: DevicePages
  readonly #limits: OAuthLimits
  readonly #names: readonly string[]
  readonly #finder: NameFinder
  readonly #origins: ReadonlySet<string>
  readonly #servers = new Map<string, NamedServer>()
  readonly #addresses = new WeakMap<IncomingMessage, ClientAddress>()

  constructor(parts: AuthorizationServerParts) {
    const { issuer, site, system, log } = parts
    this.#parts = parts
    this.#names = ownNames(parts.publicUrls)
    this.#origins = originPolicy(parts.publicUrls, parts.allowedOrigins).origins
    this.#finder = new NameFinder(this.#names)
    this.#limits = new OAuthLimits(system)
    this.#devicePages = new DevicePages({ site, key: parts.pageKey, system }, this.#limits, log)
    this.#serverFor(issuer)
  }

  /** Answers the request where its path is one of ours. @returns whether it is */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const target = canonicalTarget(request.url ?? '', request.headers.host)
    if (target === undefined) return false
    const { name, path } = this.#asked(request, target.path)
    if (!isOwnPath(path)) return false
    rewriteTarget(request, { ...target, path })
    if (PUBLIC.has(path) && letPagesRead(request, response, '*')) return true
    if (FOR_APPS.has(path) && letPagesRead(request, response, this.#origins)) return true
    this.#handle(request, response, name, path).catch((error: unknown) => {
      // A browser that went away is no fault.
      if (!response.socket?.destroyed)
        this.#parts.log.logSecurityEvent({ event: 'page_failed', error: String(error) })
      if (response.headersSent) response.destroy()
      else this.#refuse(request, response, deny('internal_error'))
    })
    return true
  }

  /** [RS.8] The name that was asked, and the path without what stands between host and path (RFC 8414 section 3.1). */
  #asked({ headers: { host } }: IncomingMessage, path: string): Named {
    for (const metadata of METADATA) {
      if (!path.startsWith(`${metadata}/`)) continue
      const named = this.#finder.within(host, path.slice(metadata.length))
      if (named.path === '') return { ...named, path: metadata }
    }
    return { name: this.#finder.at(host), path }
  }

  async #handle(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    path: string,
  ): Promise<void> {
    const entered = await this.#enter(request, path)
    if (!entered.allowed) return this.#refuse(request, response, entered)
    const address = entered.value
    this.#addresses.set(request, address)
    const { answer, interactions } = this.#serverFor(name)
    if (path.startsWith('/interaction/')) return interactions.handle({ request, response, path, address })
    if (path.startsWith('/device') && !(await this.#enterDevice(request, response, path, address))) return
    if (path === ROUTES.authorization || (path === ROUTES.code_verification && request.method === 'GET'))
      forgetSession(request)
    const canonical = await canonicalRequest(request, path, this.#names)
    if (canonical === undefined) return this.#refuse(request, response, deny('body_too_large'))
    this.#addresses.set(canonical, address)
    this.#devicePages.rewritten(request, canonical)
    asNamed(canonical, name)
    answer(canonical, response)
  }

  #serverFor(name: string): NamedServer {
    const made = this.#servers.get(name) ?? this.#makeServer(name)
    this.#servers.set(name, made)
    return made
  }

  #makeServer(name: string): NamedServer {
    const { issuer, site, system, log, ...parts } = this.#parts
    const provider = createOidcProvider(
      {
        name,
        issuer,
        key: parts.signingKey,
        cookieKey: parts.cookieKey,
        records: {
          store: parts.store,
          key: parts.recordKey,
          system,
          grantEnded: (id) => this.#grantEnded(id),
        },
        users: parts.users,
        sessions: parts.sessionStore,
        system,
        allowRegistration: parts.allowRegistration,
        // Behind a proxy, this machine's own address says nothing of who comes.
        isLoopback: !parts.production && isOfThisMachine(site),
        devicePages: this.#devicePages,
        mayFetchMetadata: ({ req }) => this.#isWithin('metadata', this.#addresses.get(req)).allowed,
      },
      site,
    )
    const errorAnswers = new ErrorAnswers(provider, this.#parts)
    useMiddleware(provider, siteOf(name).base, system, this.#devicePages, errorAnswers)
    recordEvents(provider, log, system, (request) => this.#addresses.get(request))
    const interactions = new Interactions({ ...this.#parts, provider, key: parts.pageKey })
    return { name, answer: provider.callback(), interactions }
  }

  async #enter(request: IncomingMessage, path: string): Promise<Verdict<ClientAddress>> {
    const entered = await this.#parts.door.enter(request)
    if (!entered.allowed) return entered
    const { origin } = request.headers
    if (FOR_APPS.has(path) && origin !== undefined && !this.#origins.has(origin))
      return deny('origin_forbidden')
    for (const kind of ['request' as const, ...(NARROWER[path] ?? [])]) {
      const within = this.#isWithin(kind, entered.value)
      if (!within.allowed) return within
    }
    return entered
  }

  /** A proxy's address stands for everybody behind it, so that only limits of a minute hold for it. */
  #isWithin(kind: Limited, address: ClientAddress | undefined): Verdict<void> {
    const isShared = address === undefined || address.isProxy
    if (isShared && isLasting(kind)) return allow(undefined)
    return this.#limits.take(kind, isShared ? '' : address.key)
  }

  /** [OAUTH.13] Only a logged-in user may try codes, and only so often. @returns whether to continue */
  async #enterDevice(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    address: ClientAddress,
  ): Promise<boolean> {
    const { site, browserSessions } = this.#parts
    const isOwn = request.method !== 'POST' || isOwnOrigin(request, site)
    if (!isOwn) return this.#stop(response, deny('origin_forbidden'))
    const userCode = codeInLink(new URL(request.url ?? '', site.origin).searchParams.get('user_code'))
    const returnTo = userCode === undefined ? path : `${path}?user_code=${userCode}`
    const loggedIn = await browserSessions.requireLogin(request, response, returnTo)
    if (loggedIn === undefined) return false
    // The library's next steps are GET requests below /device, for the approval that this check let through.
    const isPage = request.method === 'POST' || path === '/device'
    const parts = { ...this.#parts, key: this.#parts.pageKey }
    if (isPage && !requireRecentLogin(parts, { request, response }, loggedIn, returnTo)) return false
    if (request.method === 'POST') {
      const mayTry = this.#limits.tryCode(codeKeys(loggedIn.user.userId, address))
      if (!mayTry.allowed) return this.#stop(response, mayTry)
    }
    this.#devicePages.enter(request, { loggedIn, address, userCode })
    request.url = path
    return true
  }

  #stop(response: ServerResponse, denied: Denied): false {
    sendRefusalPage(response, this.#parts.site, denied)
    return false
  }

  #refuse(request: IncomingMessage, response: ServerResponse, denied: Denied): void {
    if (request.headers.accept?.includes('text/html') === true)
      sendRefusalPage(response, this.#parts.site, denied)
    else sendRefusalJson(response, denied)
  }

  /** The library has ended a grant: a code or token of it was used twice, or given back. */
  async #grantEnded(grantId: string): Promise<void> {
    const { sessionStore, sessions } = this.#parts
    const session = await sessionStore.find(grantId)
    if (session === undefined) return
    const isGivenBack = Provider.ctx?.oidc?.route === 'revocation'
    await sessions.end(session, isGivenBack ? 'ended_by_client' : 'token_reused')
  }
}

/** @param path canonical */
function isOwnPath(path: string): boolean {
  return OWN_PATHS.has(path) || STEP_PATH.test(path)
}

/**
 * Checks each request for access from scratch: the current login decides whose it is, and no approval is
 * reused.
 */
function forgetSession(request: IncomingMessage): void {
  const { cookie } = request.headers
  if (cookie !== undefined) request.headers.cookie = cookie.replace(SESSION_COOKIE, '')
}

/**
 * Tells the library the requested name, from which it builds its own addresses, whatever a client or a
 * proxy's headers say.
 */
function asNamed({ headers }: IncomingMessage, name: string): void {
  const { host, protocol } = new URL(name)
  headers.host = host
  headers['x-forwarded-proto'] = protocol.slice(0, -1)
  delete headers['x-forwarded-host']
  delete headers['x-forwarded-for']
}
