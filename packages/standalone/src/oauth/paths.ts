import type { Limited } from './limits.ts'
import { ROUTES } from './oidc-provider.ts'

export const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
/** The library's page that logs one user out before another, see `ROUTES.end_session`. */
const LOGOUT_PATH = `${ROUTES.end_session}/confirm`
/** Exact paths that the library serves; no others, because it would accept more spellings of each. */
const OWN_PATHS: ReadonlySet<string> = new Set([...Object.values(ROUTES), ...METADATA, LOGOUT_PATH])
/** Paths that end with the id of a request for access. */
const STEP_PATH = /^\/(?:interaction|oauth\/authorize|device)\/[\w-]{1,64}$/
/** Paths with the same answer for every user, which pages of every origin may read. */
export const PUBLIC: ReadonlySet<string> = new Set([...METADATA, ROUTES.jwks])
/** Endpoints that apps request by script; all others are for browsers. */
export const FOR_APPS: ReadonlySet<string> = new Set([
  ROUTES.token,
  ROUTES.registration,
  ROUTES.revocation,
  ROUTES.device_authorization,
])
/** Methods of the paths for apps. */
export const METHODS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ...[...PUBLIC].map((path) => [path, ['GET', 'HEAD']] as const),
  ...[...FOR_APPS].map((path) => [path, ['POST']] as const),
])
/** Limits of a path in addition to that of every request. */
const NARROWER: Readonly<Record<string, readonly Limited[]>> = {
  [ROUTES.authorization]: ['begin'],
  [ROUTES.code_verification]: ['begin'],
  [ROUTES.device_authorization]: ['device'],
  [ROUTES.registration]: ['registration', 'registrationOfDay'],
}

/** Whether the authorization server serves this path. @param path canonical */
export function isOwnPath(path: string): boolean {
  return OWN_PATHS.has(path) || STEP_PATH.test(path)
}

/** Limits that a request for this path counts for. */
export function limitsOf(path: string): readonly Limited[] {
  return ['request', ...(NARROWER[path] ?? [])]
}
