import { z } from 'zod'
import type { RefreshTokenStore } from '../../ports.ts'
import type { Database } from './schema.ts'

/** Number of latest uses whose times a session keeps. */
const KEPT_USES = 8
const usesSchema = z.array(z.number())

interface Chain {
  readonly generation: number
  /** Times at which the earlier generations were used, the latest first. */
  readonly usedAtMs: readonly number[]
}

/** Stores the position of each session in its chain of refresh tokens, in the session's row. */
export function sqlRefreshTokens(db: Database): RefreshTokenStore {
  return {
    async redeem(sessionId, generation, atMs) {
      const before = await chainOf(db, sessionId, atMs)
      if (before === undefined || generation > before.generation) return { state: 'unknown' }
      if (generation === before.generation && (await advance(db, sessionId, before, atMs)))
        return { state: 'good', next: generation + 1 }
      // Another use may have advanced the chain in between.
      const chain = await chainOf(db, sessionId, atMs)
      if (chain === undefined) return { state: 'unknown' }
      const usedAtMs = chain.usedAtMs[chain.generation - 1 - generation]
      return { state: 'reused', next: chain.generation, ...(usedAtMs !== undefined && { usedAtMs }) }
    },
  }
}

/** Advances the chain in one statement, so that only one of two concurrent uses succeeds. */
async function advance(
  db: Database,
  sessionId: string,
  { generation, usedAtMs }: Chain,
  atMs: number,
): Promise<boolean> {
  const uses = [Math.floor(atMs), ...usedAtMs].slice(0, KEPT_USES)
  const { numUpdatedRows } = await db
    .updateTable('sessions')
    .set({ refresh_generation: generation + 1, refresh_uses: JSON.stringify(uses) })
    .where('session_id', '=', sessionId)
    .where('refresh_generation', '=', generation)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

async function chainOf(db: Database, sessionId: string, atMs: number): Promise<Chain | undefined> {
  const row = await db
    .selectFrom('sessions')
    .select(['refresh_generation', 'refresh_uses'])
    .where('session_id', '=', sessionId)
    .where('expires_at_ms', '>', atMs)
    .executeTakeFirst()
  return (
    row && { generation: row.refresh_generation, usedAtMs: usesSchema.parse(JSON.parse(row.refresh_uses)) }
  )
}
