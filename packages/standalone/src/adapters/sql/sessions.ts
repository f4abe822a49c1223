import type { System } from '@bridgekeeper/bridge'
import type { Session, SessionStore } from '@bridgekeeper/bridge/parts'
import { publishWithin } from './revocations.ts'
import type { Database, Tables } from './schema.ts'
import type { Sweep } from './sweep.ts'

/** Login sessions. Expired ones are never found. */
export function sqlSessions(db: Database, system: System, sweep: Sweep): SessionStore {
  const live = () => db.selectFrom('sessions').selectAll().where('expires_at_ms', '>', system.nowMs())

  return {
    async add(session) {
      await db.insertInto('sessions').values(toRow(session)).execute()
      sweep()
    },
    async find(sessionId) {
      const row = await live().where('session_id', '=', sessionId).executeTakeFirst()
      return row && toSession(row)
    },
    async ofUser(userId) {
      const query = live().where('user_id', '=', userId).orderBy('seen_at_ms', 'desc').orderBy('session_id')
      return (await query.execute()).map(toSession)
    },
    async seen(sessionId, atMs) {
      const seenAtMs = Math.floor(atMs)
      await db
        .updateTable('sessions')
        .set({ seen_at_ms: seenAtMs })
        .where('session_id', '=', sessionId)
        .where('seen_at_ms', '<', seenAtMs)
        .execute()
    },
    end: (sessionId) =>
      db.transaction().execute(async (transaction) => {
        if ((await endSessions(transaction, 'session_id', sessionId)) === 0) return false
        await publishWithin(transaction, { kind: 'session', id: sessionId }, system.nowMs())
        return true
      }),
  }
}

/**
 * Ends sessions, and deletes their grants and fingerprints. Must run in a transaction.
 * @returns the number of ended sessions
 */
export async function endSessions(
  transaction: Database,
  column: 'session_id' | 'user_id',
  value: string,
): Promise<number> {
  const ended = transaction.selectFrom('sessions').select('session_id').where(column, '=', value)
  await transaction.deleteFrom('fingerprints').where('session_id', 'in', ended).execute()
  await transaction.deleteFrom('oauth_records').where('grant_id', 'in', ended).execute()
  // A grant has no `grant_id`: its own id is that of the session.
  await transaction
    .deleteFrom('oauth_records')
    .where('model', '=', 'Grant')
    .where('id', 'in', ended)
    .execute()
  const { numDeletedRows } = await transaction
    .deleteFrom('sessions')
    .where(column, '=', value)
    .executeTakeFirst()
  return Number(numDeletedRows)
}

function toRow(session: Session): Tables['sessions'] {
  return {
    session_id: session.sessionId,
    user_id: session.userId,
    kind: session.kind,
    label: session.label,
    client_id: session.clientId ?? null,
    device_id: session.deviceId ?? null,
    created_at_ms: Math.floor(session.createdAtMs),
    seen_at_ms: Math.floor(session.seenAtMs),
    expires_at_ms: Math.floor(session.expiresAtMs),
    refresh_generation: 1,
    refresh_uses: '[]',
    scopes: session.kind === 'token' ? session.scopes.join(' ') : '',
  }
}

function toSession(row: Tables['sessions']): Session {
  const { kind } = row
  const facts = {
    sessionId: row.session_id,
    userId: row.user_id,
    label: row.label,
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(row.device_id !== null && { deviceId: row.device_id }),
    createdAtMs: row.created_at_ms,
    seenAtMs: row.seen_at_ms,
    expiresAtMs: row.expires_at_ms,
  }
  return kind === 'token' ? { ...facts, kind, scopes: row.scopes.split(' ') } : { ...facts, kind }
}
