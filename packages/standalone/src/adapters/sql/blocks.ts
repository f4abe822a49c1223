import type { BlockStore, System } from '@bridgekeeper/bridge'
import type { Database } from './schema.ts'
import type { Sweep } from './sweep.ts'

/** Blocks, shared by all nodes of a database, or by all processes with a file. */
export function sqlBlocks(db: Database, system: System, sweep: Sweep): BlockStore {
  return {
    async all() {
      const query = db.selectFrom('blocks').selectAll().where('until_ms', '>', system.nowMs())
      const rows = await query.orderBy('kind').orderBy('key').execute()
      return rows.map(({ kind, key, until_ms }) => ({ kind, key, untilMs: until_ms }))
    },
    async held(names) {
      const query = db
        .selectFrom('blocks')
        .selectAll()
        .where('until_ms', '>', system.nowMs())
        .where('key', 'in', [...new Set(names.map(({ key }) => key))])
      const asked = new Set(names.map(({ kind, key }) => `${kind} ${key}`))
      const rows = names.length === 0 ? [] : await query.execute()
      return rows
        .filter(({ kind, key }) => asked.has(`${kind} ${key}`))
        .map(({ kind, key, until_ms }) => ({ kind, key, untilMs: until_ms }))
    },
    async put({ kind, key, untilMs }) {
      await db
        .insertInto('blocks')
        .values({ kind, key, until_ms: Math.ceil(untilMs) })
        .onConflict((on) =>
          on
            .columns(['kind', 'key'])
            .doUpdateSet((eb) => ({ until_ms: eb.ref('excluded.until_ms') }))
            .whereRef('blocks.until_ms', '<', 'excluded.until_ms'),
        )
        .execute()
      sweep()
    },
    async remove({ kind, key }) {
      const query = db.deleteFrom('blocks').where('kind', '=', kind).where('key', '=', key)
      return (await query.executeTakeFirst()).numDeletedRows === 1n
    },
  }
}
