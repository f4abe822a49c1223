import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Denied, deny } from '@bridgekeeper/bridge'
import { canonicalTarget, rewriteTarget, type Target } from '@bridgekeeper/bridge/parts'
import { BrowserSessions } from '../browser/browser-sessions.ts'
import { accountOperations } from '../operations/operations.ts'
import { Passwords } from '../passwords/passwords.ts'
import { sendRefusalJson, sendRefusalPage } from '../web/respond.ts'
import type { Routes, Visit } from '../web/visit.ts'
import { accountRoutes } from './account-routes.ts'
import { LoginLimits } from './login-limits.ts'
import { LoginProvider, type LoginProviderSettings } from './login-provider.ts'
import { providerRoutes } from './login-provider-routes.ts'
import { loginRoutes } from './login-routes.ts'
import { logoutRoutes } from './logout-routes.ts'
import type { AccountParts, Pages } from './parts.ts'
import { passkeyRoutes } from './passkey-routes.ts'
import { Passkeys } from './passkeys.ts'
import { securityRoutes } from './security-routes.ts'
import { Totp } from './totp.ts'
import { usersRoutes } from './users-routes.ts'

/** The account pages, and the logged-in user for other pages. */
export interface Accounts {
  readonly browserSessions: BrowserSessions
  /** Answers the request where its path is one of ours. @returns whether it is */
  handle(request: IncomingMessage, response: ServerResponse): boolean
}

const OWN_PATH = /^\/(?:login|logout|account|auth)(?:\/|$)/

/** Only browsers ask for the root; for a program that posts there, the bridge says where MCP is. */
function isOwn({ path }: Target, method: string | undefined): boolean {
  return OWN_PATH.test(path) || (path === '/' && (method === 'GET' || method === 'HEAD'))
}

/** @param settings of the provider at which users may log in instead, if any */
export function createAccounts(parts: AccountParts, settings?: LoginProviderSettings): Accounts {
  const { credentials, system, door, log, key } = parts
  const passwords = new Passwords(credentials, system)
  const pages: Pages = {
    ...parts,
    browserSessions: new BrowserSessions(parts),
    limits: new LoginLimits(door, log, system),
    passwords,
    totp: new Totp(credentials, system, key),
    operations: accountOperations({ ...parts, passwords }),
  }
  const { origin, base } = parts.site
  const loginProvider = settings && new LoginProvider(settings, `${origin}${base}/login/sso/callback`, system)
  const routes: Routes = {
    ...loginRoutes(pages, settings?.name),
    ...logoutRoutes(pages),
    ...accountRoutes(pages, settings?.name),
    ...(loginProvider !== undefined && providerRoutes(pages, loginProvider)),
    ...securityRoutes(pages),
    ...passkeyRoutes(pages, new Passkeys(parts, credentials)),
    ...usersRoutes(pages),
  }

  function refuse(request: IncomingMessage, response: ServerResponse, denied: Denied): void {
    const wantsJson = request.headers.accept?.includes('application/json') === true
    if (wantsJson) sendRefusalJson(response, denied)
    else sendRefusalPage(response, parts.site, denied)
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    { path, query }: Target,
  ): Promise<void> {
    const address = await door.enter(request)
    if (!address.allowed) return refuse(request, response, address)
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
    const visit: Visit = {
      request,
      response,
      path,
      query: new URLSearchParams(query),
      address: address.value,
    }
    const handler = Object.hasOwn(routes, `${method} ${path}`) ? routes[`${method} ${path}`] : undefined
    if (handler !== undefined) return handler(visit)
    const isKnown = ['GET', 'POST'].some((other) => Object.hasOwn(routes, `${other} ${path}`))
    refuse(request, response, deny(isKnown ? 'method_not_allowed' : 'not_found'))
  }

  function handle(request: IncomingMessage, response: ServerResponse): boolean {
    const target = canonicalTarget(request.url ?? '', request.headers.host)
    if (target === undefined || !isOwn(target, request.method)) return false
    rewriteTarget(request, target)
    answer(request, response, target).catch((error: unknown) => {
      // A browser that went away is no fault.
      if (!response.socket?.destroyed) log.logSecurityEvent({ event: 'page_failed', error: String(error) })
      // [PAGE.5] Answers without any detail of the failure.
      if (response.headersSent) response.destroy()
      else refuse(request, response, deny('internal_error'))
    })
    return true
  }

  return { browserSessions: pages.browserSessions, handle }
}
