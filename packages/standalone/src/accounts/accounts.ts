import type { IncomingMessage, ServerResponse } from 'node:http'
import { BrowserSessions } from '../browser/browser-sessions.ts'
import { accountOperations } from '../operations/operations.ts'
import { Passwords } from '../passwords/passwords.ts'
import type { Routes } from '../web/visit.ts'
import { accountRoutes } from './account-routes.ts'
import { LoginLimits } from './login-limits.ts'
import { LoginProvider, type LoginProviderSettings } from './login-provider.ts'
import { providerRoutes } from './login-provider-routes.ts'
import { loginRoutes } from './login-routes.ts'
import { logoutRoutes } from './logout-routes.ts'
import { PageHandler } from './page-handler.ts'
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

  const handler = new PageHandler(parts, routes)
  return {
    browserSessions: pages.browserSessions,
    handle: (request, response) => handler.handle(request, response),
  }
}
