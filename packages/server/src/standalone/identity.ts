import type { IncomingMessage, ServerResponse } from 'node:http'
import { createAccounts } from '../accounts/accounts.ts'
import { siteOf } from '../accounts/site.ts'
import type { Bridge } from '../bridge.ts'
import { Sessions } from '../identity/sessions.ts'
import type { SecurityLog, System } from '../ports.ts'
import type { DataFolder } from './data-folder.ts'
import type { Environment } from './secret.ts'
import { ssoSettings } from './sso-settings.ts'

/** Answers a request where its path is its own. @returns whether it is */
export type PathHandler = (request: IncomingMessage, response: ServerResponse) => boolean

export interface IdentityOptions {
  readonly env: Environment
  /** The bridge's own address, as browsers and clients know it. */
  readonly issuer: string
  readonly data: DataFolder
  readonly bridge: Bridge
  readonly log: SecurityLog
  readonly system: System
}

/**
 * The pages of a node that keeps its own accounts.
 * @throws SetupError `setting_invalid`, or what is wrong with the secret
 */
export function identityHandlers({ env, issuer, data, bridge, log, system }: IdentityOptions): PathHandler[] {
  const { stores } = data
  const revoke = bridge.revoke
  const accounts = createAccounts(
    {
      site: siteOf(issuer),
      users: stores.users,
      sessions: new Sessions({ sessions: stores.sessions, revoke, log, system }),
      refreshTokens: stores.refreshTokens,
      credentials: stores.credentials,
      devices: stores.devices,
      tokens: data.tokens(),
      door: bridge.frontDoor,
      key: data.keyFor('account pages'),
      revoke,
      log,
      system,
    },
    ssoSettings(env),
  )
  return [accounts.handle]
}
