import type { System } from '@bridgekeeper/bridge'
import type { Database } from './schema.ts'

/** How much an installation keeps. */
export interface Counts {
  readonly users: number
  /** Open sessions. */
  readonly sessions: number
  readonly devices: number
  /** Active blocks. */
  readonly blocks: number
}

export async function countAll(db: Database, system: System): Promise<Counts> {
  const nowMs = system.nowMs()
  const [users, sessions, devices, blocks] = await Promise.all([
    countOf(db.selectFrom('users').select((eb) => eb.fn.countAll().as('count'))),
    countOf(
      db
        .selectFrom('sessions')
        .where('expires_at_ms', '>', nowMs)
        .select((eb) => eb.fn.countAll().as('count')),
    ),
    countOf(db.selectFrom('devices').select((eb) => eb.fn.countAll().as('count'))),
    countOf(
      db
        .selectFrom('blocks')
        .where('until_ms', '>', nowMs)
        .select((eb) => eb.fn.countAll().as('count')),
    ),
  ])
  return { users, sessions, devices, blocks }
}

/** PostgreSQL counts in 64 bits, which its driver reads as text or as a number. */
async function countOf(query: {
  executeTakeFirstOrThrow(): Promise<{ readonly count: number | bigint | string }>
}): Promise<number> {
  return Number((await query.executeTakeFirstOrThrow()).count)
}
