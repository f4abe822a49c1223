import type { FingerprintStore } from '@bridgekeeper/bridge'
import type { Database } from './schema.ts'
import type { Sweep } from './sweep.ts'

/** Last fingerprints of login sessions. */
export function sqlFingerprints(db: Database, sweep: Sweep): FingerprintStore {
  return {
    async last(sessionId) {
      const query = db.selectFrom('fingerprints').select('fingerprint').where('session_id', '=', sessionId)
      return (await query.executeTakeFirst())?.fingerprint
    },
    async remember(sessionId, fingerprint, atMs) {
      const seen = { fingerprint, seen_at_ms: Math.round(atMs) }
      await db
        .insertInto('fingerprints')
        .values({ session_id: sessionId, ...seen })
        .onConflict((on) => on.column('session_id').doUpdateSet(seen))
        .execute()
      sweep()
    },
  }
}
