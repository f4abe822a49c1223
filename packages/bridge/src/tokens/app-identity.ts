import { type RequestFacts, requestFacts } from '../gates/request-facts.ts'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, Principal, System } from '../ports.ts'
import { digest, Recall } from './recall.ts'
import { readScopes } from './scopes.ts'

/** A user as the embedding app knows it. */
export interface AppIdentity {
  /** The app's own id of the user; not empty. */
  readonly userId: string
  /** Unique per login, unchanged while its token is renewed, never reused after a revocation. */
  readonly sessionId: string
  /** Scopes of the login, such as `agent:connect`. Default: everything. */
  readonly scopes?: readonly string[]
  /** The login's machine, if the app tells machines apart. */
  readonly deviceId?: string
  /** End of the token and its connection, in milliseconds since the epoch. Default: in an hour. */
  readonly expiresAtMs?: number
}

/**
 * The app's own function: returns the token's identity, or `undefined` for an invalid token. Its answer is
 * cached for five seconds, however the token arrives, unless `bridge.revoke` names its user, session or
 * device. A refused token in a header counts as a guess, unless the function accepted it recently.
 */
export type Authenticate = (
  token: string,
  request: RequestFacts,
) => AppIdentity | undefined | Promise<AppIdentity | undefined>

const DEFAULT_LIFETIME_MS = 3_600_000
/** Time limit for the app's function; after it the request fails. */
const ANSWER_MS = 10_000
/** Accepted tokens in memory; beyond them the least recently accepted are evicted. */
const MAX_ACCEPTED = 10_000
const NO_REQUEST = requestFacts({ rawHeaders: [], socket: {} })

/** The app's function failed, was too slow, or returned an invalid identity. Nobody is admitted. */
class AppIdentityError extends Error {
  override readonly name = 'AppIdentityError'
}

/**
 * [EMBED.1] Asks the app for a token's identity. If its function throws, rejects, is too slow or returns an
 * invalid identity, the request is refused with `internal_error`.
 */
export function createAppAuthenticator(authenticate: Authenticate, system: System): Authenticator {
  const recalled = new Recall(system)
  const accepted = new AcceptedTokens()
  return {
    async authenticate(token: string, request: RequestFacts = NO_REQUEST): Promise<Verdict<Principal>> {
      const remember = recalled.begin(token)
      const identity = await inTime(async () => authenticate(token, request), system)
      if (identity === undefined) return deny(accepted.has(token) ? 'login_revoked' : 'token_invalid')
      const principal = principalOf(identity, system)
      if (principal.expiresAtMs <= system.nowMs()) return deny('token_expired')
      remember(principal)
      accepted.add(token)
      return allow(principal)
    },
    recall: (token) => recalled.get(token),
    forget: (revoked) => recalled.forget(revoked),
  }
}

/**
 * Hashes of the tokens that the app accepted most recently. If the app refuses one of them later, its login
 * has ended, so it is no guess.
 */
class AcceptedTokens {
  readonly #digests = new Set<string>()

  has(token: string): boolean {
    return this.#digests.has(digest(token))
  }

  add(token: string): void {
    const added = digest(token)
    this.#digests.delete(added)
    this.#digests.add(added)
    const [oldest] = this.#digests
    if (this.#digests.size > MAX_ACCEPTED && oldest !== undefined) this.#digests.delete(oldest)
  }
}

async function inTime<T>(run: () => Promise<T>, system: System): Promise<T> {
  let cancel = (): void => {}
  const tooLate = new Promise<never>((_, reject) => {
    cancel = system.after(ANSWER_MS, () => reject(new AppIdentityError('It did not answer in time.')))
  })
  try {
    return await Promise.race([run(), tooLate])
  } finally {
    cancel()
  }
}

/** An app in JavaScript may return anything; an invalid value must not become unlimited access. */
function principalOf(identity: AppIdentity, system: System): Principal {
  const { userId, sessionId, scopes, deviceId, expiresAtMs = system.nowMs() + DEFAULT_LIFETIME_MS } = identity
  const ids = deviceId === undefined ? [userId, sessionId] : [userId, sessionId, deviceId]
  if (!ids.every((id) => typeof id === 'string' && id !== ''))
    throw new AppIdentityError('userId, sessionId and deviceId must be non-empty strings.')
  if (!Number.isFinite(expiresAtMs))
    throw new AppIdentityError('expiresAtMs must be a number of milliseconds.')
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')))
    throw new AppIdentityError('scopes must be a list of strings.')
  return {
    userId,
    sessionId,
    expiresAtMs,
    ...(scopes !== undefined && { scopes: readScopes(scopes.join(' ')) }),
    ...(deviceId !== undefined && { deviceId }),
  }
}
