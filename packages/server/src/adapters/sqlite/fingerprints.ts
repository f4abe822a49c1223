import type { FingerprintStore } from '../../ports.ts'
import type { Database } from './database.ts'

/** A login that was not seen for so long is forgotten; tokens live a year at most. */
const FORGET_MS = 366 * 86_400_000

export function sqliteFingerprints(database: Database): FingerprintStore {
  const read = database.prepare('SELECT fingerprint FROM fingerprints WHERE session_id = ?')
  const write = database.prepare(
    'INSERT INTO fingerprints (session_id, fingerprint, seen_at_ms) VALUES (?, ?, ?) ON CONFLICT (session_id) DO UPDATE SET fingerprint = excluded.fingerprint, seen_at_ms = excluded.seen_at_ms',
  )
  const forget = database.prepare('DELETE FROM fingerprints WHERE seen_at_ms < ?')
  return {
    async last(sessionId) {
      const fingerprint = read.get(sessionId)?.fingerprint
      return typeof fingerprint === 'string' ? fingerprint : undefined
    },
    async remember(sessionId, fingerprint, atMs) {
      forget.run(Math.round(atMs) - FORGET_MS)
      write.run(sessionId, fingerprint, Math.round(atMs))
    },
  }
}
