import type { SecurityLog, System, UserStore } from '@bridgekeeper/bridge'
import type { FrontDoor, SessionStore, SigningKey } from '@bridgekeeper/bridge/parts'
import type { BrowserSessions } from '../browser/browser-sessions.ts'
import type { OAuthStore } from '../ports.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'
import type { Site } from '../web/site.ts'

/** Everything that the authorization server needs from the node. */
export interface AuthorizationServerParts {
  /** The bridge's own address, which its tokens name as their issuer. */
  readonly issuer: string
  readonly site: Site
  readonly signingKey: SigningKey
  /** Seals records; 32 bytes. */
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
