import type { FingerprintStore } from '../../ports.ts'
import type { Database } from './schema.ts'

/** A login that was not seen for so long is forgotten; tokens live a year at most. */
const FORGET_MS = 366 * 86_400_000

export function sqlFingerprints(db: Database): FingerprintStore {
  return {
    async last(sessionId) {
      const query = db.selectFrom('fingerprints').select('fingerprint').where('session_id', '=', sessionId)
      return (await query.executeTakeFirst())?.fingerprint
    },
    async remember(sessionId, fingerprint, atMs) {
      const seen = { fingerprint, seen_at_ms: Math.round(atMs) }
      await db
        .deleteFrom('fingerprints')
        .where('seen_at_ms', '<', seen.seen_at_ms - FORGET_MS)
        .execute()
      await db
        .insertInto('fingerprints')
        .values({ session_id: sessionId, ...seen })
        .onConflict((on) => on.column('session_id').doUpdateSet(seen))
        .execute()
    },
  }
}
