import { z } from 'zod'
import { BLOCK_KINDS, type BlockStore } from '../../ports.ts'
import type { Database } from './database.ts'

const rowSchema = z.object({ kind: z.enum(BLOCK_KINDS), key: z.string(), until_ms: z.number() })

/** Blocks in SQLite, shared by the processes that have the file open. What has run out goes with the next `put`. */
export function sqliteBlocks(database: Database, nowMs: () => number): BlockStore {
  const select = database.prepare('SELECT kind, key, until_ms FROM blocks WHERE until_ms > ?')
  const replace = database.prepare(
    'INSERT INTO blocks (kind, key, until_ms) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)',
  )
  const remove = database.prepare('DELETE FROM blocks WHERE kind = ? AND key = ?')
  const expire = database.prepare('DELETE FROM blocks WHERE until_ms <= ?')
  return {
    async all() {
      return select.all(nowMs()).map((row) => {
        const { kind, key, until_ms } = rowSchema.parse(row)
        return { kind, key, untilMs: until_ms }
      })
    },
    async put({ kind, key, untilMs }) {
      expire.run(nowMs())
      replace.run(kind, key, Math.ceil(untilMs))
    },
    async remove({ kind, key }) {
      return Number(remove.run(kind, key).changes) === 1
    },
  }
}
