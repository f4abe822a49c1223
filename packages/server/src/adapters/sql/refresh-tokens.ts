import type { Redeemed, RefreshTokenStore } from '../../ports/identity.ts'
import type { Database } from './schema.ts'
import type { Sweep } from './sweep.ts'

/** Refresh tokens by their hashes. Used ones are kept until they would have run out, so that reuse is noticed. */
export function sqlRefreshTokens(db: Database, sweep: Sweep): RefreshTokenStore {
  return {
    async add({ hash, sessionId, expiresAtMs }) {
      const token = { hash, session_id: sessionId, expires_at_ms: Math.floor(expiresAtMs), used_at_ms: null }
      await db.insertInto('refresh_tokens').values(token).execute()
      sweep()
    },
    async redeem(hash, atMs) {
      const good = await db
        .updateTable('refresh_tokens')
        .set({ used_at_ms: Math.floor(atMs) })
        .where('hash', '=', hash)
        .where('used_at_ms', 'is', null)
        .where('expires_at_ms', '>', atMs)
        .where('session_id', 'in', liveSessions(db, atMs))
        .returning('session_id')
        .executeTakeFirst()
      return good === undefined ? refused(db, hash, atMs) : { state: 'good', sessionId: good.session_id }
    },
  }
}

async function refused(db: Database, hash: string, atMs: number): Promise<Redeemed> {
  const token = await db
    .selectFrom('refresh_tokens')
    .select(['session_id', 'used_at_ms'])
    .where('hash', '=', hash)
    .where('expires_at_ms', '>', atMs)
    .where('session_id', 'in', liveSessions(db, atMs))
    .executeTakeFirst()
  if (token === undefined || token.used_at_ms === null) return { state: 'unknown' }
  return { state: 'reused', sessionId: token.session_id, usedAtMs: token.used_at_ms }
}

/** One that was added while its session ended is good for nothing. */
function liveSessions(db: Database, atMs: number) {
  return db.selectFrom('sessions').select('session_id').where('expires_at_ms', '>', atMs)
}
