import { z } from 'zod'
import type { CallTimesStore } from '../../ports.ts'
import { type Database, inTransaction } from './database.ts'

const rowSchema = z.object({ user_id: z.string(), called_at_ms: z.string() })
const timesSchema = z.array(z.number())

/** One row for each user, replaced whole: it never holds more than the limit's number of calls. */
export function sqliteCallTimes(database: Database): CallTimesStore {
  const select = database.prepare('SELECT user_id, called_at_ms FROM call_times WHERE newest_at_ms >= ?')
  const replace = database.prepare(
    'INSERT INTO call_times (user_id, called_at_ms, newest_at_ms) VALUES (?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET called_at_ms = excluded.called_at_ms, newest_at_ms = excluded.newest_at_ms',
  )
  const expire = database.prepare('DELETE FROM call_times WHERE newest_at_ms < ?')
  const remove = database.prepare('DELETE FROM call_times WHERE user_id = ?')
  return {
    async load(sinceMs) {
      expire.run(Math.round(sinceMs))
      return select.all(Math.round(sinceMs)).map((row) => {
        const { user_id, called_at_ms } = rowSchema.parse(row)
        return [user_id, timesSchema.parse(JSON.parse(called_at_ms))] as const
      })
    },
    async save(entries) {
      inTransaction(database, () => {
        for (const [userId, calledAtMs] of entries)
          replace.run(userId, JSON.stringify(calledAtMs), Math.max(...calledAtMs))
      })
    },
    async forget(userId) {
      remove.run(userId)
    },
  }
}
