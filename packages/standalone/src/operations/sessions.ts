import type { Session } from '@bridgekeeper/bridge/parts'
import { AGENT_CLIENT_ID } from '@bridgekeeper/protocol'
import { SetupError } from '../config/setup-error.ts'
import type { Actor } from '../ports.ts'
import type { SessionEnd } from '../sessions/login-sessions.ts'
import type { DeviceOperations } from './devices.ts'
import { type OfUser, ofUsers } from './of-users.ts'
import type { OperationParts } from './parts.ts'
import type { UserOperations } from './users.ts'

/** Groups of sessions that a user may end together. */
export const SESSION_GROUPS = ['logins', 'apps', 'machines'] as const
export type SessionGroup = (typeof SESSION_GROUPS)[number]

/** Actions on login sessions. */
export class SessionOperations {
  readonly #parts: OperationParts
  readonly #users: UserOperations
  readonly #deviceOperations: DeviceOperations

  constructor(parts: OperationParts, users: UserOperations, deviceOperations: DeviceOperations) {
    this.#parts = parts
    this.#users = users
    this.#deviceOperations = deviceOperations
  }

  /** The sessions that have not ended, of one user or of all. @throws SetupError `user_unknown` */
  list(email?: string): Promise<readonly OfUser<Session>[]> {
    return ofUsers(this.#users, email, (userId) => this.#parts.sessions.ofUser(userId))
  }

  /** @throws SetupError `session_unknown` */
  async find(sessionId: string): Promise<Session> {
    const session = await this.#parts.sessions.find(sessionId)
    if (session !== undefined) return session
    throw new SetupError(
      'session_unknown',
      `No open login has the id ${JSON.stringify(sessionId)}.`,
      'List the logins: bridgekeeper sessions',
    )
  }

  /** Ends one session with everything it has open. The session of a machine ends with its machine. */
  async end(session: Session, actor: Actor): Promise<Session> {
    const { devices, sessions } = this.#parts
    const { deviceId } = session
    const device = deviceId === undefined ? undefined : await devices.find(deviceId)
    if (device !== undefined) await this.#deviceOperations.revoke(device, actor)
    else await sessions.endFor(session, endOf(session, actor), actor)
    return session
  }

  /** Ends a user's sessions of these groups, except one. */
  async endGroups(
    { userId, keptId }: { readonly userId: string; readonly keptId: string },
    groups: readonly SessionGroup[],
    actor: Actor,
  ): Promise<void> {
    const { devices, sessions } = this.#parts
    if (groups.includes('machines'))
      for (const device of await devices.ofUser(userId)) await this.#deviceOperations.revoke(device, actor)
    for (const session of await sessions.ofUser(userId))
      if (session.sessionId !== keptId && groups.includes(groupOf(session)))
        await sessions.endFor(session, endOf(session, actor), actor)
  }
}

/** The group of a session. An approval that a machine has not used yet counts as that machine. */
export function groupOf({ kind, clientId }: Session): SessionGroup {
  if (kind === 'browser' || kind === 'token') return 'logins'
  return kind === 'client' && clientId !== AGENT_CLIENT_ID ? 'apps' : 'machines'
}

function endOf({ userId }: Session, { by }: Actor): SessionEnd {
  return by === userId ? 'ended_by_user' : 'ended_by_admin'
}
