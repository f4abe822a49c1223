import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { realSystem } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { scratch } from '../../../../test/support/scratch.ts'
import { openSqliteStores, type Stores } from '../../src/adapters/sql/open.ts'
import { ANN } from './examples.ts'

const databasePath = (): string => join(scratch(), 'test.db')

async function open(path: string): Promise<Stores> {
  const stores = await openSqliteStores(path, realSystem())
  onTestFinished(() => stores.close())
  return stores
}

test('[DATA.3] refuses a database with an unknown migration', async () => {
  const path = databasePath()
  await (await openSqliteStores(path, realSystem())).close()
  const newer = new DatabaseSync(path)
  newer.exec(`INSERT INTO bridgekeeper_migration VALUES ('9999_later', '2030-01-01T00:00:00.000Z')`)
  newer.close()
  const before = readFileSync(path)
  await expect(open(path)).rejects.toThrow('newer version')
  expect(readFileSync(path).equals(before)).toBe(true)
})

test('[DB.3] refuses a damaged file or one that is no database, and leaves it unchanged', async () => {
  const path = databasePath()
  writeFileSync(path, 'this is no database, but somebody may need it')
  await expect(open(path)).rejects.toThrow('not a database')
  expect(readFileSync(path, 'utf8')).toBe('this is no database, but somebody may need it')

  const damaged = databasePath()
  const stores = await openSqliteStores(damaged, realSystem())
  for (let index = 0; index < 300; index++) {
    await stores.users.add({ ...ANN, userId: `user_${index}`, email: `${index}@example.com` })
  }
  await stores.close()
  const bytes = readFileSync(damaged)
  const pageBytes = 4_096
  for (let page = 1; page * pageBytes < bytes.length; page++)
    bytes.fill(0x5a, page * pageBytes + 8, page * pageBytes + 600)
  writeFileSync(damaged, bytes)
  await expect(open(damaged)).rejects.toThrow()
  expect(readFileSync(damaged).equals(bytes)).toBe(true)
})

test('[DB.3] refuses a locked file after five seconds, without blocking the process', async () => {
  const path = databasePath()
  await (await openSqliteStores(path, realSystem())).close()
  const other = new DatabaseSync(path)
  onTestFinished(() => other.close())
  other.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  let turns = 0
  const ticking = setInterval(() => turns++, 50)
  onTestFinished(() => clearInterval(ticking))
  await expect(open(path)).rejects.toThrow('locked')
  expect(turns).toBeGreaterThan(20)
  other.exec('ROLLBACK')
  await open(path)
}, 20_000)

test('[DB.1] creates the tables once when many open a new file at once', async () => {
  const path = databasePath()
  const all = await Promise.all(Array.from({ length: 5 }, () => open(path)))
  await all[0]?.users.add(ANN)
  for (const { users } of all) expect(await users.findById(ANN.userId)).toEqual(ANN)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})
