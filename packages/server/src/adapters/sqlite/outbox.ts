import { z } from 'zod'
import type { SecurityEvent } from '../../security-log/events.ts'
import type { Database } from './database.ts'

/** An event that waits for whoever has the security log open. */
export interface Waiting {
  readonly id: number
  readonly atMs: number
  readonly event: SecurityEvent
}

/** Events of processes that may not append to the log themselves, in the order of their coming. */
export interface Outbox {
  add(event: SecurityEvent, atMs: number): void
  /** Those after this id; 0 for all. */
  after(id: number): readonly Waiting[]
  removeUpTo(id: number): void
}

const rowSchema = z.object({ id: z.number(), at_ms: z.number(), event: z.string() })

export function sqliteOutbox(database: Database): Outbox {
  const insert = database.prepare('INSERT INTO log_outbox (at_ms, event) VALUES (?, ?)')
  const select = database.prepare('SELECT * FROM log_outbox WHERE id > ? ORDER BY id LIMIT 1000')
  const remove = database.prepare('DELETE FROM log_outbox WHERE id <= ?')
  return {
    add: (event, atMs) => void insert.run(Math.floor(atMs), JSON.stringify(event)),
    after: (id) => select.all(id).map(toWaiting),
    removeUpTo: (id) => void remove.run(id),
  }
}

/** What it holds is judged when it is logged: only fields of the table are read, each by its kind. */
function toWaiting(row: unknown): Waiting {
  const { id, at_ms, event } = rowSchema.parse(row)
  return { id, atMs: at_ms, event: JSON.parse(event) }
}
