import type { IssuedToken, Tokens, User } from '@bridgekeeper/bridge'
import { canonicalScope, type TokenSession } from '@bridgekeeper/bridge/parts'
import { SCOPE_FORMS } from '@bridgekeeper/protocol'
import { SetupError } from '../config/setup-error.ts'
import type { Actor, EventRecorder } from '../ports.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'
import { type OfUser, ofUsers } from './of-users.ts'
import type { UserOperations } from './users.ts'

export interface TokenParts {
  readonly sessions: LoginSessions
  readonly log: EventRecorder
  /** Signs as this installation's bridge does. @throws SetupError if the secret is invalid */
  readonly tokens: () => Promise<Tokens>
}

/** Actions on access tokens that an operator issues. */
export class TokenOperations {
  readonly #parts: TokenParts
  readonly #users: UserOperations

  constructor(parts: TokenParts, users: UserOperations) {
    this.#parts = parts
    this.#users = users
  }

  /** Lists the active sessions of issued tokens, of one user or of all. @throws SetupError `user_unknown` */
  list(email?: string): Promise<readonly OfUser<TokenSession>[]> {
    return ofUsers(this.#users, email, async (userId) => {
      const sessions = await this.#parts.sessions.ofUser(userId)
      return sessions.filter((session) => session.kind === 'token')
    })
  }

  /**
   * Issues a token for a new login.
   * @param scopes scopes of the token; without them it is unlimited
   * @throws SetupError `scope_invalid`, `secret_mismatch`, or if the secret is invalid
   */
  async issue(
    user: User,
    lifetimeMs: number,
    scopes: readonly string[] | undefined,
    actor: Actor,
  ): Promise<IssuedToken> {
    demandScopes(scopes)
    const tokens = await this.#parts.tokens()
    const issued = await tokens.issue(user, lifetimeMs, scopes)
    // Records the token before it is handed out.
    const lifetimeSeconds = Math.ceil(lifetimeMs / 1_000)
    const { userId } = user
    await this.#parts.log.logSecurityEvent({ event: 'token_issued', userId, lifetimeSeconds, ...actor })
    return issued
  }
}

/** @throws SetupError `scope_invalid` */
function demandScopes(scopes: readonly string[] | undefined): void {
  const unreadable = scopes?.find((scope) => canonicalScope(scope) === undefined)
  if (unreadable === undefined && scopes?.length !== 0) return
  throw new SetupError(
    'scope_invalid',
    `${JSON.stringify(unreadable ?? '')} is not a scope.`,
    `Use ${SCOPE_FORMS.join(', ')}, with * for any server or name.`,
  )
}
