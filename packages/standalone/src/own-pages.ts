import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Bridge, SecurityLog, System } from '@bridgekeeper/bridge'
import { createAccounts } from './accounts/accounts.ts'
import type { ServeSettings } from './config/serve-settings.ts'
import type { DataFolder } from './data/data-folder.ts'
import { AuthorizationServer } from './oauth/authorization-server.ts'
import { LoginSessions } from './sessions/login-sessions.ts'
import type { OwnKeys } from './tokens/own-tokens.ts'
import { isOfThisMachine, siteOf } from './web/site.ts'

/** Answers a request where its path is its own. @returns whether it is */
export type PathHandler = (request: IncomingMessage, response: ServerResponse) => boolean

export interface OwnPagesOptions {
  readonly settings: Pick<ServeSettings, 'allowRegistration' | 'loginProvider' | 'reach'>
  /** The bridge's own address, as browsers and clients know it. */
  readonly issuer: string
  /** Every address under which the bridge is reached, the issuer first. */
  readonly publicUrls: readonly string[]
  readonly data: DataFolder
  readonly keys: OwnKeys
  readonly bridge: Bridge
  readonly log: SecurityLog
  readonly system: System
}

/**
 * The pages and the authorization server of a node that keeps its own accounts.
 * @throws SetupError if the secret is invalid
 */
export function ownPages(options: OwnPagesOptions): PathHandler[] {
  const { settings, issuer, data, keys, bridge, log, system } = options
  const { production, allowedOrigins } = settings.reach
  const { stores } = data
  const revoke = bridge.revoke
  const site = siteOf(issuer)
  const sessions = new LoginSessions({ sessions: stores.sessions, revoke, log, system })
  const pageKey = data.keyFor('account pages')
  const accounts = createAccounts(
    {
      site,
      users: stores.users,
      sessions,
      refreshTokens: stores.refreshTokens,
      credentials: stores.credentials,
      devices: stores.devices,
      tokens: data.tokens(),
      door: bridge.frontDoor,
      key: pageKey,
      revoke,
      log,
      system,
    },
    settings.loginProvider,
  )
  const server = new AuthorizationServer({
    issuer,
    site,
    signingKey: keys.signing,
    recordKey: data.keyFor('oauth records'),
    cookieKey: data.keyFor('oauth cookies'),
    pageKey,
    store: stores.oauth,
    users: stores.users,
    sessionStore: stores.sessions,
    sessions,
    browserSessions: accounts.browserSessions,
    door: bridge.frontDoor,
    log,
    system,
    production,
    allowRegistration: settings.allowRegistration ?? (!production && isOfThisMachine(site)),
    allowedOrigins,
    publicUrls: options.publicUrls,
  })
  return [accounts.handle, (request, response) => server.handle(request, response)]
}
