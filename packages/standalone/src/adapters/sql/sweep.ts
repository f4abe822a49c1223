import type { System } from '@bridgekeeper/bridge'
import type { Database } from './schema.ts'

const SWEEP_EVERY_MS = 60_000
/** Age at which a fingerprint is deleted; tokens are valid for a year at most. */
const FORGET_FINGERPRINT_MS = 366 * 86_400_000

/** Starts to delete expired rows, at most once a minute. Call it after adding a row. */
export type Sweep = () => void

/** Queries never return expired rows, so a late or failed sweep does no harm. */
export function createSweep(db: Database, system: System): Sweep {
  let nextMs = Number.NEGATIVE_INFINITY
  return () => {
    if (system.monotonicMs() < nextMs) return
    nextMs = system.monotonicMs() + SWEEP_EVERY_MS
    sweep(db, system.nowMs()).catch(() => {})
  }
}

async function sweep(db: Database, nowMs: number): Promise<void> {
  const expired = db.selectFrom('sessions').select('session_id').where('expires_at_ms', '<=', nowMs)
  await db.deleteFrom('fingerprints').where('session_id', 'in', expired).execute()
  for (const table of ['oauth_records', 'sessions'] as const) {
    await db.deleteFrom(table).where('expires_at_ms', '<=', nowMs).execute()
  }
  await db.deleteFrom('blocks').where('until_ms', '<=', nowMs).execute()
  await db
    .deleteFrom('fingerprints')
    .where('seen_at_ms', '<', nowMs - FORGET_FINGERPRINT_MS)
    .execute()
}
