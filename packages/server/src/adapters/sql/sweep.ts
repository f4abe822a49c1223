import type { System } from '../../ports.ts'
import type { Database } from './schema.ts'

const SWEEP_EVERY_MS = 60_000

/** Takes out what has run out, once a minute at most; to be called before something is added. */
export type Sweep = () => Promise<void>

/** Nobody finds what has run out, so that a sweep that fails or comes late does no harm. */
export function createSweep(db: Database, system: System): Sweep {
  let nextMs = Number.NEGATIVE_INFINITY
  return async () => {
    if (system.monotonicMs() < nextMs) return
    nextMs = system.monotonicMs() + SWEEP_EVERY_MS
    try {
      for (const table of ['refresh_tokens', 'oauth_records', 'sessions'] as const) {
        await db.deleteFrom(table).where('expires_at_ms', '<=', system.nowMs()).execute()
      }
    } catch {}
  }
}
