import { createServer } from 'node:net'
import { realSystem } from '@bridgekeeper/bridge'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/support/postgres.ts'
import { openPostgresStores, type Stores } from '../../src/adapters/sql/open.ts'
import { ANN } from './examples.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres()
})

async function open(url: string): Promise<Stores> {
  const stores = await openPostgresStores(url, realSystem())
  onTestFinished(() => stores.close())
  return stores
}

const tablesOf = async (url: string): Promise<readonly unknown[]> =>
  (
    await postgres.query(
      url,
      `select table_name from information_schema.tables where table_schema = 'public'`,
    )
  ).map(({ table_name }) => table_name)

test('[DB.1] creates the tables once when many nodes open a new database at once', async () => {
  const url = await postgres.fresh()
  const all = await Promise.all(Array.from({ length: 8 }, () => open(url)))
  await all[0]?.users.add(ANN)
  for (const { users } of all) expect(await users.findById(ANN.userId)).toEqual(ANN)
  const migrations = await postgres.query(url, 'select name from bridgekeeper_migration order by name')
  expect(new Set(migrations.map(({ name }) => name)).size).toBe(migrations.length)
})

test('[DB.1] rolls back a failed migration and releases its lock', async () => {
  const url = await postgres.fresh()
  await postgres.query(url, 'create table sessions (theirs int)')
  await expect(open(url)).rejects.toMatchObject({ code: '42P07' })
  expect(await tablesOf(url)).toEqual(['sessions'])
  await postgres.query(url, 'drop table sessions')
  await open(url)
})

test('[DATA.3] refuses a database with an unknown migration, and leaves it unchanged', async () => {
  const url = await postgres.fresh()
  await (await openPostgresStores(url, realSystem())).close()
  await postgres.query(
    url,
    `insert into bridgekeeper_migration values ('9999_later', '2030-01-01T00:00:00.000Z')`,
  )
  await postgres.query(url, 'drop table keys')
  await expect(open(url)).rejects.toThrow('newer version')
  expect(await tablesOf(url)).not.toContain('keys')
})

test('[DB.3] times out within seconds on a database that accepts and never answers', async () => {
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void silent.close())
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : undefined
  await expect(open(`postgres://user:secret@127.0.0.1:${port}/x`)).rejects.toThrow()
}, 20_000)

test('[STORE.11] misses no revocation after the database was away', async () => {
  const url = await postgres.fresh()
  const [node, operator] = [await open(url), await open(url)]
  const told: string[] = []
  node.revocations.watch(({ id }) => told.push(id))
  await operator.revocations.publish({ kind: 'user', id: '1' })
  await expect.poll(() => told, { timeout: 5_000 }).toEqual(['1'])
  await postgres.stop()
  await expect(operator.revocations.publish({ kind: 'user', id: 'lost' })).rejects.toThrow()
  await expect(node.users.findById('x')).rejects.toThrow()
  await expect.poll(() => node.revocations.behindMs(), { timeout: 5_000 }).toBeGreaterThan(500)
  await postgres.start()
  await operator.revocations.publish({ kind: 'user', id: '2' })
  await operator.revocations.publish({ kind: 'session', id: '3' })
  await expect.poll(() => told, { timeout: 10_000 }).toEqual(['1', '2', '3'])
  await expect.poll(() => node.revocations.behindMs()).toBeLessThan(500)
  expect(await node.users.findById('x')).toBeUndefined()
}, 60_000)

test('[DB.1] returns 64-bit numbers as numbers', async () => {
  const { users } = await open(await postgres.fresh())
  const createdAtMs = Number.MAX_SAFE_INTEGER
  expect(await users.add({ ...ANN, createdAtMs })).toEqual({ ...ANN, createdAtMs })
})
