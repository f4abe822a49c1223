import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Denied, deny } from '@bridgekeeper/bridge'
import type { ClientAddress } from '@bridgekeeper/bridge/parts'
import { requireRecentLogin } from '../browser/recent-login.ts'
import { isOwnOrigin } from '../web/csrf.ts'
import { sendRefusalPage } from '../web/respond.ts'
import { codeInLink, codeKeys, type DevicePages } from './device-pages.ts'
import type { OAuthLimits } from './limits.ts'
import type { AuthorizationServerParts } from './parts.ts'

/** [OAUTH.13] Lets only logged-in users reach the pages that approve a machine, and limits how many codes they try. */
export class DeviceEntry {
  readonly #parts: AuthorizationServerParts
  readonly #pages: DevicePages
  readonly #limits: OAuthLimits

  constructor(parts: AuthorizationServerParts, pages: DevicePages, limits: OAuthLimits) {
    this.#parts = parts
    this.#pages = pages
    this.#limits = limits
  }

  /** Admits a request below `/device`, or answers it. @returns whether the library may handle it */
  async enter(
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
    // The library continues with GET requests below /device, for an approval that has passed this check.
    const isPage = request.method === 'POST' || path === '/device'
    const parts = { ...this.#parts, key: this.#parts.pageKey }
    if (isPage && !requireRecentLogin(parts, { request, response }, loggedIn, returnTo)) return false
    if (request.method === 'POST') {
      const mayTry = this.#limits.tryCode(codeKeys(loggedIn.user.userId, address))
      if (!mayTry.allowed) return this.#stop(response, mayTry)
    }
    this.#pages.enter(request, { loggedIn, address, userCode })
    request.url = path
    return true
  }

  #stop(response: ServerResponse, denied: Denied): false {
    sendRefusalPage(response, this.#parts.site, denied)
    return false
  }
}
