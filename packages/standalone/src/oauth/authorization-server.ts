import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Denied, deny, type Verdict } from '@bridgekeeper/bridge'
import {
  type ClientAddress,
  canonicalTarget,
  letPagesRead,
  type Named,
  NameFinder,
  originPolicy,
  ownNames,
  rewriteTarget,
} from '@bridgekeeper/bridge/parts'
import { sendRefusalJson, sendRefusalPage } from '../web/respond.ts'
import { canonicalRequest } from './canonical-request.ts'
import { DeviceEntry } from './device-entry.ts'
import { DevicePages } from './device-pages.ts'
import { OAuthLimits } from './limits.ts'
import { NamedServers } from './named-servers.ts'
import { ROUTES } from './oidc-provider.ts'
import type { AuthorizationServerParts } from './parts.ts'
import { FOR_APPS, isOwnPath, limitsOf, METADATA, PUBLIC } from './paths.ts'

const SESSION_COOKIE = /(?:^|;)\s*oauthSession(?:\.sig)?=[^;]*/g

/**
 * The bridge's authorization server, with its pages. Admits each request, and passes it to the library in its
 * canonical spelling.
 */
export class AuthorizationServer {
  readonly #parts: AuthorizationServerParts
  readonly #devicePages: DevicePages
  readonly #deviceEntry: DeviceEntry
  readonly #limits: OAuthLimits
  readonly #servers: NamedServers
  readonly #names: readonly string[]
  readonly #finder: NameFinder
  readonly #origins: ReadonlySet<string>
  readonly #addresses = new WeakMap<IncomingMessage, ClientAddress>()

  constructor(parts: AuthorizationServerParts) {
    const { site, system, log } = parts
    this.#parts = parts
    this.#names = ownNames(parts.publicUrls)
    this.#origins = originPolicy(parts.publicUrls, parts.allowedOrigins).origins
    this.#finder = new NameFinder(this.#names)
    this.#limits = new OAuthLimits(system)
    this.#devicePages = new DevicePages({ site, key: parts.pageKey, system }, this.#limits, log)
    this.#deviceEntry = new DeviceEntry(parts, this.#devicePages, this.#limits)
    this.#servers = new NamedServers(parts, this.#devicePages, this.#limits, (request) =>
      this.#addresses.get(request),
    )
  }

  /** Answers the request if its path belongs to the server. @returns whether it does */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const target = canonicalTarget(request.url ?? '', request.headers.host)
    if (target === undefined) return false
    const { name, path } = this.#asked(request, target.path)
    if (!isOwnPath(path)) return false
    rewriteTarget(request, { ...target, path })
    if (PUBLIC.has(path) && letPagesRead(request, response, '*')) return true
    if (FOR_APPS.has(path) && letPagesRead(request, response, this.#origins)) return true
    this.#handle(request, response, name, path).catch((error: unknown) => {
      // Does not log a browser that disconnected.
      if (!response.socket?.destroyed)
        this.#parts.log.logSecurityEvent({ event: 'page_failed', error: String(error) })
      if (response.headersSent) response.destroy()
      else this.#refuse(request, response, deny('internal_error'))
    })
    return true
  }

  /**
   * [RS.8] Finds the requested name, and the path without the part between host and path (RFC 8414 section
   * 3.1).
   */
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
    const { answer, interactions } = this.#servers.under(name)
    if (path.startsWith('/interaction/')) return interactions.handle({ request, response, path, address })
    if (path.startsWith('/device') && !(await this.#deviceEntry.enter(request, response, path, address)))
      return
    if (path === ROUTES.authorization || (path === ROUTES.code_verification && request.method === 'GET'))
      forgetSession(request)
    const canonical = await canonicalRequest(request, path, this.#names)
    if (canonical === undefined) return this.#refuse(request, response, deny('body_too_large'))
    this.#addresses.set(canonical, address)
    this.#devicePages.rewritten(request, canonical)
    asNamed(canonical, name)
    answer(canonical, response)
  }

  async #enter(request: IncomingMessage, path: string): Promise<Verdict<ClientAddress>> {
    const entered = await this.#parts.door.enter(request)
    if (!entered.allowed) return entered
    const { origin } = request.headers
    if (FOR_APPS.has(path) && origin !== undefined && !this.#origins.has(origin))
      return deny('origin_forbidden')
    for (const kind of limitsOf(path)) {
      const within = this.#limits.take(kind, entered.value)
      if (!within.allowed) return within
    }
    return entered
  }

  #refuse(request: IncomingMessage, response: ServerResponse, denied: Denied): void {
    if (request.headers.accept?.includes('text/html') === true)
      sendRefusalPage(response, this.#parts.site, denied)
    else sendRefusalJson(response, denied)
  }
}

/**
 * Removes the cookie of the library's session. So the current login decides the user of each request, and no
 * earlier approval is reused.
 */
function forgetSession(request: IncomingMessage): void {
  const { cookie } = request.headers
  if (cookie !== undefined) request.headers.cookie = cookie.replace(SESSION_COOKIE, '')
}

/**
 * Passes the requested name to the library, which builds its addresses from it. Ignores names from a client
 * or a proxy's headers.
 */
function asNamed({ headers }: IncomingMessage, name: string): void {
  const { host, protocol } = new URL(name)
  headers.host = host
  headers['x-forwarded-proto'] = protocol.slice(0, -1)
  delete headers['x-forwarded-host']
  delete headers['x-forwarded-for']
}
