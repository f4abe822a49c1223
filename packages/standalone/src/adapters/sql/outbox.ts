import type { SecurityEvent } from '@bridgekeeper/bridge'
import { type Database, nextNumber } from './schema.ts'

/** An event that waits for the process that has the security log open. */
interface Waiting {
  readonly id: number
  readonly atMs: number
  readonly event: SecurityEvent
}

/** Events of processes that may not append to the log themselves, in the order of their coming. */
export interface Outbox {
  add(event: SecurityEvent, atMs: number): Promise<void>
  /** Events after this id; 0 for all. */
  after(id: number): Promise<readonly Waiting[]>
  removeUpTo(id: number): Promise<void>
}

const MAX_AT_ONCE = 1_000

export function sqlOutbox(db: Database): Outbox {
  return {
    add: (event, atMs) =>
      db.transaction().execute(async (transaction) => {
        const id = await nextNumber(transaction, 'log_outbox')
        const row = { id, at_ms: Math.floor(atMs), event: JSON.stringify(event) }
        await transaction.insertInto('log_outbox').values(row).execute()
      }),
    async after(id) {
      const query = db.selectFrom('log_outbox').selectAll().where('id', '>', id).orderBy('id')
      const rows = await query.limit(MAX_AT_ONCE).execute()
      // Fields are checked when the event is logged: only those of the table are read.
      return rows.map(({ id, at_ms, event }) => ({ id, atMs: at_ms, event: JSON.parse(event) }))
    },
    async removeUpTo(id) {
      await db.deleteFrom('log_outbox').where('id', '<=', id).execute()
    },
  }
}
