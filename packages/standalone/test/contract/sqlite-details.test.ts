import { readdirSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { Revocation } from '@bridgekeeper/bridge'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { scratch } from '../../../../test/support/scratch.ts'
import { sqlFingerprints } from '../../src/adapters/sql/fingerprints.ts'
import { SQLITE_DDL } from '../../src/adapters/sql/initial-schema.ts'
import { migrate, migrationsFor } from '../../src/adapters/sql/migrations.ts'
import { sqlOutbox } from '../../src/adapters/sql/outbox.ts'
import { SqlRevocations } from '../../src/adapters/sql/revocations.ts'
import type { Tables } from '../../src/adapters/sql/schema.ts'
import { openSqliteFile, sqliteDialect } from '../../src/adapters/sql/sqlite.ts'
import { createSweep } from '../../src/adapters/sql/sweep.ts'

const DAY_MS = 86_400_000
const user = (id: string): Revocation => ({ kind: 'user', id })

/** A database whose statements fail on request. */
async function setUp() {
  const system = new FakeSystem()
  const file = openSqliteFile(':memory:')
  const failing: RegExp[] = []
  const ran: string[] = []
  const prepare = file.prepare.bind(file)
  // Statements are prepared once and kept, so that the fault is in running them.
  file.prepare = ((text: string) => {
    const statement = prepare(text)
    for (const method of ['all', 'run'] as const) {
      const original = statement[method].bind(statement) as (...values: unknown[]) => unknown
      Object.assign(statement, {
        [method]: (...values: unknown[]) => {
          ran.push(text)
          if (failing.some((pattern) => pattern.test(text))) throw new Error('the database is down')
          return original(...values)
        },
      })
    }
    return statement
  }) as DatabaseSync['prepare']
  const db = new Kysely<Tables>({ dialect: sqliteDialect(file) })
  onTestFinished(() => db.destroy())
  await migrate(db, migrationsFor(SQLITE_DDL), async () => {})
  return { system, file, db, failing, ran }
}

async function watched() {
  const made = await setUp()
  const revocations = await SqlRevocations.open(made.db, made.system)
  onTestFinished(() => revocations.close())
  const told: string[] = []
  const watch = () => revocations.watch(({ id }) => told.push(id))
  /** Rows of another process, and the counter with them. */
  const insert = (from: number, to: number) => {
    for (let id = from; id <= to; id++)
      made.file.exec(`INSERT INTO revocations VALUES (${id}, 'user', 'u${id}', ${made.system.nowMs()})`)
    made.file.exec(`UPDATE counters SET value = ${to} WHERE name = 'revocations'`)
  }
  const reading = async () => {
    made.system.advance(250)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  return { ...made, revocations, told, watch, insert, reading }
}

test.each([999, 1_000, 1_001, 2_001])(
  '[STORE.11] delivers all of %i waiting revocations at the next read, in order',
  async (count) => {
    const { told, watch, insert, reading } = await watched()
    watch()
    insert(1, count)
    await reading()
    expect(told).toEqual(Array.from({ length: count }, (_, index) => `u${index + 1}`))
    insert(count + 1, count + 1)
    await reading()
    expect(told).toHaveLength(count + 1)
  },
)

test('[STORE.11] keeps a publication when the read after it fails, and delivers it once at the next', async () => {
  const { revocations, told, watch, failing, reading } = await watched()
  watch()
  failing.push(/^select .* from "revocations"/)
  for (const id of ['1', '2']) await revocations.publish(user(id))
  expect(told).toEqual([])
  failing.length = 0
  await reading()
  await reading()
  expect(told).toEqual(['1', '2'])
})

test('[STORE.11] does not deliver a failed publication, and gives its number to the next', async () => {
  const { revocations, told, watch, failing, reading } = await watched()
  watch()
  failing.push(/^insert into "revocations"/)
  for (const id of ['lost', 'lost too']) await expect(revocations.publish(user(id))).rejects.toThrow('down')
  failing.length = 0
  await revocations.publish(user('1'))
  await reading()
  expect(told).toEqual(['1'])
})

test('[REVOKE.6] reports being behind only while it cannot read', async () => {
  const { revocations, watch, failing, system, reading } = await watched()
  expect(revocations.behindMs()).toBe(0)
  system.advance(10_000)
  watch()
  expect(revocations.behindMs()).toBe(0)
  for (let time = 0; time < 2; time++) {
    failing.push(/^select .* from "revocations"/)
    for (let turn = 0; turn < 24; turn++) await reading()
    expect(revocations.behindMs()).toBeGreaterThanOrEqual(6_000)
    failing.length = 0
    await reading()
    expect(revocations.behindMs()).toBe(0)
  }
})

test('[STORE.11] delivers the gap to a watcher that arrives after all others left, once', async () => {
  const { told, watch, insert, reading, system, revocations } = await watched()
  const stop = watch()
  insert(1, 1)
  await reading()
  stop()
  expect(system.armed).toBe(0)
  insert(2, 2)
  watch()
  watch()
  expect(system.armed).toBe(1)
  await reading()
  expect(told).toEqual(['u1', 'u2', 'u2'])
  expect(system.armed).toBe(1)
  revocations.close()
  insert(3, 3)
  await reading()
  expect([told.length, system.armed]).toEqual([3, 0])
})

test('[STORE.11] keeps revocations for seven days', async () => {
  const { revocations, system, db } = await watched()
  await revocations.publish(user('1'))
  system.advance(7 * DAY_MS)
  await revocations.publish(user('2'))
  const targets = async () =>
    (await db.selectFrom('revocations').select('target').execute()).map(({ target }) => target)
  expect(await targets()).toEqual(['1', '2'])
  system.advance(1)
  await revocations.publish(user('3'))
  expect(await targets()).toEqual(['2', '3'])
})

test('[STORE.11] does not deliver revocations from before a node started', async () => {
  const { db, system, insert } = await watched()
  insert(1, 3)
  const late = await SqlRevocations.open(db, system)
  onTestFinished(() => late.close())
  const told: string[] = []
  late.watch(({ id }) => told.push(id))
  await late.publish(user('4'))
  expect(told).toEqual(['4'])
})

test('[LOG.11] reads more events than one batch in several reads, and numbers no failed addition', async () => {
  const { db, failing } = await setUp()
  const outbox = sqlOutbox(db)
  for (let n = 0; n < 1_001; n++) await outbox.add({ event: 'user_added', userId: `u${n}` }, n)
  failing.push(/^insert into "log_outbox"/)
  await expect(outbox.add({ event: 'user_added', userId: 'lost' }, 1)).rejects.toThrow('down')
  failing.length = 0
  const first = await outbox.after(0)
  expect([first.length, first[0]?.id, first.at(-1)?.id]).toEqual([1_000, 1, 1_000])
  const second = await outbox.after(1_000)
  expect(second).toEqual([{ id: 1_001, atMs: 1_000, event: { event: 'user_added', userId: 'u1000' } }])
  await outbox.removeUpTo(1_000)
  expect(await outbox.after(0)).toEqual(second)
  await outbox.add({ event: 'user_added', userId: 'next' }, 1)
  expect((await outbox.after(1_001)).map(({ id }) => id)).toEqual([1_002])
})

test('[STORE.12] sweeps at most once a minute, and continues after a failed sweep', async () => {
  const { db, system, failing, ran } = await setUp()
  const sweep = createSweep(db, system)
  const sweeps = async () => {
    ran.length = 0
    sweep()
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    return ran.filter((text) => text.startsWith('delete from')).length
  }
  expect(await sweeps()).toBe(5)
  expect(await sweeps()).toBe(0)
  system.advance(59_999)
  expect(await sweeps()).toBe(0)
  system.advance(1)
  failing.push(/^delete from/)
  expect(await sweeps()).toBe(1)
  failing.length = 0
  system.advance(60_000)
  expect(await sweeps()).toBe(5)
})

test('[STORE.12] sweeps after a fingerprint is remembered', async () => {
  const { db } = await setUp()
  let sweeps = 0
  const fingerprints = sqlFingerprints(db, () => void sweeps++)
  for (let time = 1; time <= 2; time++) {
    await fingerprints.remember('s', 'seen', time)
    expect(sweeps).toBe(time)
  }
})

test('[DB.1] creates no file for a database in memory', async () => {
  const folder = scratch()
  const before = process.cwd()
  onTestFinished(() => process.chdir(before))
  process.chdir(folder)
  openSqliteFile(':memory:').close()
  expect(readdirSync(folder)).toEqual([])
})

test('[DB.1] deletes rows of a user, grant or time by an index', async () => {
  const { file } = await setUp()
  for (const [table, column] of [
    ['passkeys', 'user_id'],
    ['upstream_links', 'user_id'],
    ['sessions', 'user_id'],
    ['sessions', 'expires_at_ms'],
    ['devices', 'user_id'],
    ['device_keys', 'device_id'],
    ['device_keys', 'user_id'],
    ['oauth_records', 'grant_id'],
    ['oauth_records', 'user_code'],
    ['oauth_records', 'uid'],
    ['oauth_records', 'expires_at_ms'],
  ]) {
    const [plan] = file.prepare(`EXPLAIN QUERY PLAN DELETE FROM ${table} WHERE ${column} = ?`).all('x')
    expect(plan?.detail).toMatch(/^SEARCH .* USING (COVERING )?INDEX /)
  }
})

test('[DB.1] runs any number of different statements, also after the prepared ones are released', async () => {
  const { db } = await setUp()
  for (let n = 0; n < 700; n++) {
    const { rows } = await sql<{ n: number }>`select ${sql.lit(n)} as n`.execute(db)
    expect(rows).toEqual([{ n }])
  }
  const long = await sql<{ n: number }>`select ${sql.raw(`1${' + 1'.repeat(600)}`)} as n`.execute(db)
  expect(long.rows).toEqual([{ n: 601 }])
})

test('[DB.1] rolls back a failed transaction, even if the database already ended it', async () => {
  const { db, file } = await setUp()
  const insert = (transaction: Kysely<Tables>) =>
    transaction.insertInto('settings').values({ name: 'a', value: 'b' }).execute()
  await expect(
    db.transaction().execute(async (transaction) => {
      await insert(transaction)
      throw new Error('midway')
    }),
  ).rejects.toThrow('midway')
  await expect(
    db.transaction().execute(async (transaction) => {
      await insert(transaction)
      file.exec('ROLLBACK')
      throw new Error('ended by itself')
    }),
  ).rejects.toThrow('ended by itself')
  expect(await db.selectFrom('settings').selectAll().execute()).toEqual([])
  await db.transaction().execute(insert)
  expect(await db.selectFrom('settings').selectAll().execute()).toHaveLength(1)
})
