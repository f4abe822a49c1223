import type { CallTimesStore } from '@bridgekeeper/bridge'
import { z } from 'zod'
import type { Database, Tables } from './schema.ts'

const timesSchema = z.array(z.number())
const ROWS_AT_ONCE = 500

/** Keeps a row per user, replaced whole, so that it never exceeds the limit's number of calls. */
export function sqlCallTimes(db: Database): CallTimesStore {
  return {
    async load(sinceMs) {
      const since = Math.round(sinceMs)
      await db.deleteFrom('call_times').where('newest_at_ms', '<', since).execute()
      const query = db.selectFrom('call_times').selectAll().where('newest_at_ms', '>=', since)
      const rows = await query.orderBy('user_id').execute()
      return rows.map(
        ({ user_id, called_at_ms }) => [user_id, timesSchema.parse(JSON.parse(called_at_ms))] as const,
      )
    },
    async save(entries) {
      // Sorts the rows, so that two nodes lock them in the same order and cannot deadlock.
      const rows = [...new Map(entries)].map(toRow).sort((a, b) => (a.user_id < b.user_id ? -1 : 1))
      await db.transaction().execute(async (transaction) => {
        for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
          await transaction
            .insertInto('call_times')
            .values(rows.slice(at, at + ROWS_AT_ONCE))
            .onConflict((on) =>
              on.column('user_id').doUpdateSet((eb) => ({
                called_at_ms: eb.ref('excluded.called_at_ms'),
                newest_at_ms: eb.ref('excluded.newest_at_ms'),
              })),
            )
            .execute()
        }
      })
    },
    async forget(userId) {
      await db.deleteFrom('call_times').where('user_id', '=', userId).execute()
    },
  }
}

function toRow([userId, calledAtMs]: readonly [string, readonly number[]]): Tables['call_times'] {
  return {
    user_id: userId,
    called_at_ms: JSON.stringify(calledAtMs),
    newest_at_ms: Math.round(Math.max(...calledAtMs)),
  }
}
