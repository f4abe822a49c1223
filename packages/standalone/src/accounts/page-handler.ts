import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Denied, deny } from '@bridgekeeper/bridge'
import { canonicalTarget, rewriteTarget, type Target } from '@bridgekeeper/bridge/parts'
import { sendRefusalJson, sendRefusalPage } from '../web/respond.ts'
import type { Routes, Visit } from '../web/visit.ts'
import type { AccountParts } from './parts.ts'

const OWN_PATH = /^\/(?:login|logout|account|auth)(?:\/|$)/

/** Only browsers ask for the root; for a program that posts there, the bridge says where MCP is. */
function isOwn({ path }: Target, method: string | undefined): boolean {
  return OWN_PATH.test(path) || (path === '/' && (method === 'GET' || method === 'HEAD'))
}

/** Admits requests for the account pages, and passes each to the handler of its path. */
export class PageHandler {
  readonly #parts: Pick<AccountParts, 'door' | 'log' | 'site'>
  readonly #routes: Routes

  constructor(parts: Pick<AccountParts, 'door' | 'log' | 'site'>, routes: Routes) {
    this.#parts = parts
    this.#routes = routes
  }

  /** Answers the request if its path is one of the pages. @returns whether it is */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const target = canonicalTarget(request.url ?? '', request.headers.host)
    if (target === undefined || !isOwn(target, request.method)) return false
    rewriteTarget(request, target)
    this.#answer(request, response, target).catch((error: unknown) => {
      // A browser that went away is no fault.
      if (!response.socket?.destroyed)
        this.#parts.log.logSecurityEvent({ event: 'page_failed', error: String(error) })
      // [PAGE.5] Answers without any detail of the failure.
      if (response.headersSent) response.destroy()
      else this.#refuse(request, response, deny('internal_error'))
    })
    return true
  }

  async #answer(request: IncomingMessage, response: ServerResponse, { path, query }: Target): Promise<void> {
    const address = await this.#parts.door.enter(request)
    if (!address.allowed) return this.#refuse(request, response, address)
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
    const visit: Visit = {
      request,
      response,
      path,
      query: new URLSearchParams(query),
      address: address.value,
    }
    const routes = this.#routes
    const handler = Object.hasOwn(routes, `${method} ${path}`) ? routes[`${method} ${path}`] : undefined
    if (handler !== undefined) return handler(visit)
    const isKnown = ['GET', 'POST'].some((other) => Object.hasOwn(routes, `${other} ${path}`))
    this.#refuse(request, response, deny(isKnown ? 'method_not_allowed' : 'not_found'))
  }

  #refuse(request: IncomingMessage, response: ServerResponse, denied: Denied): void {
    const wantsJson = request.headers.accept?.includes('application/json') === true
    if (wantsJson) sendRefusalJson(response, denied)
    else sendRefusalPage(response, this.#parts.site, denied)
  }
}
