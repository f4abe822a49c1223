/** Internals that tests and checks outside this package use. Not published. */
export { type Accounts, createAccounts } from './accounts/accounts.ts'
export { ATTEMPTS as LOGIN_ATTEMPTS, LOGINS, LoginLimits, NEW_USERS } from './accounts/login-limits.ts'
export type { LoginProviderSettings } from './accounts/login-provider.ts'
export { MAX_LINKS } from './accounts/login-provider-routes.ts'
export type { AccountParts } from './accounts/parts.ts'
export { MAX_PASSKEYS } from './accounts/passkeys.ts'
export { isBusy } from './adapters/busy.ts'
export { takeLock } from './adapters/process-lock.ts'
export { MAX_OLD_KEYS } from './adapters/sql/devices.ts'
export { openSqliteStores, type Stores } from './adapters/sql/open.ts'
export { RENEWALS } from './browser/browser-sessions.ts'
export { HTTP_LIMITS } from './http/listener.ts'
export { MAX_CONNECTIONS, MAX_SOCKETS_PER_ADDRESS } from './http/socket-limits.ts'
export { AuthorizationServer } from './oauth/authorization-server.ts'
export { reduceMetadata } from './oauth/client-metadata.ts'
export { guardedFetch } from './oauth/guarded-fetch.ts'
export { CODE_WINDOW_MS, LIMITS as OAUTH_LIMITS, WRONG_CODES } from './oauth/limits.ts'
export type { AuthorizationServerParts } from './oauth/parts.ts'
export {
  MAX_CLIENT_BYTES,
  MAX_RECORD_BYTES,
  MOST as MOST_RECORDS,
  MOST_REFRESH_TOKENS,
  Records,
  UNUSED_CLIENT_MS,
} from './oauth/records.ts'
export { FairTurns } from './passwords/fair-turns.ts'
export { passwordProblem } from './passwords/password-rules.ts'
export {
  MAX_AT_ONCE as MAX_HASHES_AT_ONCE,
  MAX_WAITING as MAX_HASHES_WAITING,
  Passwords,
  PasswordsBusy,
} from './passwords/passwords.ts'
export type { OAuthStore } from './ports.ts'
export { LoginSessions, MAX_SESSIONS } from './sessions/login-sessions.ts'
export { loadBridgeKey } from './tokens/bridge-key.ts'
export { byIssuer } from './tokens/by-issuer.ts'
export { MAX_BODY_BYTES as MAX_FORM_BYTES } from './web/form-body.ts'
export { html } from './web/html.ts'
export { localPath, siteOf } from './web/site.ts'
