import type { Revocation, System } from '@bridgekeeper/bridge'
import { type LoginSession, newSessionId, type Session, type SessionStore } from '@bridgekeeper/bridge/parts'
import type { Actor, EventRecorder } from '../ports.ts'

/** Why a session ended, for the log. */
export type SessionEnd =
  | 'logged_out'
  | 'ended_by_user'
  | 'ended_by_admin'
  | 'replaced'
  | 'token_reused'
  | 'user_deleted'
  /** The user opened more than fit, and it was the idlest. */
  | 'displaced'
  /** The app gave its token back. */
  | 'ended_by_client'

/** Login sessions of one kind that a user may have open. */
export const MAX_SESSIONS = 64

export interface NewSession extends Pick<LoginSession, 'userId' | 'kind' | 'label'> {
  readonly lifetimeMs: number
  readonly clientId?: string
  readonly deviceId?: string
}

export interface SessionParts {
  readonly sessions: SessionStore
  /**
   * Ends everything the login has open: here at once, on other nodes within a second. Rejects if they cannot
   * be notified.
   */
  readonly revoke: (revocation: Revocation) => Promise<void>
  readonly log: EventRecorder
  readonly system: System
}

/** Starts and ends login sessions and publishes their end. Rejects while a store is down. */
export class LoginSessions {
  readonly #parts: SessionParts

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** [LOGIN.3] Starts a login with a new random id, regardless of the browser's cookies. */
  async start({ lifetimeMs, ...given }: NewSession, ip?: string): Promise<Session> {
    const { sessions, system, log } = this.#parts
    const nowMs = system.nowMs()
    const session: LoginSession = {
      ...given,
      sessionId: newSessionId(system),
      createdAtMs: nowMs,
      seenAtMs: nowMs,
      expiresAtMs: nowMs + lifetimeMs,
    }
    await sessions.add(session)
    await log.logSecurityEvent({ event: 'session_started', userId: given.userId, ip, kind: given.kind })
    await this.#displaceIdlest(session, ip)
    return session
  }

  /** [LOGIN.9] Makes room for a new session of this kind by ending the longest unused ones. */
  async #displaceIdlest({ sessionId, userId, kind }: Session, ip?: string): Promise<void> {
    const open = await this.#parts.sessions.ofUser(userId)
    const others = open.filter((other) => other.kind === kind && other.sessionId !== sessionId)
    others.sort((a, b) => b.seenAtMs - a.seenAtMs)
    for (const idle of others.slice(MAX_SESSIONS - 1)) await this.end(idle, 'displaced', ip)
  }

  /** An open session by id. */
  async find(sessionId: string): Promise<Session | undefined> {
    const session = await this.#parts.sessions.find(sessionId)
    return session !== undefined && session.expiresAtMs > this.#parts.system.nowMs() ? session : undefined
  }

  async ofUser(userId: string): Promise<readonly Session[]> {
    const nowMs = this.#parts.system.nowMs()
    const sessions = await this.#parts.sessions.ofUser(userId)
    return sessions.filter(({ expiresAtMs }) => expiresAtMs > nowMs)
  }

  /** [LOGIN.4] Invalidates all its tokens, at once on this node and within a second on every other. */
  async end(session: Session, reason: SessionEnd, ip?: string): Promise<void> {
    await this.endFor(session, reason, { ip })
  }

  /** [LOGIN.4] The same as an act of a user or an operator. */
  async endFor(session: Session, reason: SessionEnd, actor: Partial<Actor>): Promise<void> {
    await this.remove(session, reason, actor)
    await this.#parts.revoke({ kind: 'session', id: session.sessionId })
  }

  /** Removes a session whose user is revoked next; only that revocation closes what it has open. */
  async remove(
    { sessionId, userId, kind }: Session,
    reason: SessionEnd,
    actor: Partial<Actor>,
  ): Promise<void> {
    const { sessions, log } = this.#parts
    const wasThere = await sessions.end(sessionId)
    const { ip, by } = actor
    if (wasThere) await log.logSecurityEvent({ event: 'session_ended', userId, ip, kind, reason, by })
  }
}
