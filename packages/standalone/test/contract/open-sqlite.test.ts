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

/** The schema of version 7, and what was added to it since version 1. */
const OLDER = [
  `CREATE TABLE users (user_id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    token_version INTEGER NOT NULL, created_at_ms INTEGER NOT NULL) STRICT`,
  'CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT',
  `CREATE TABLE blocks (kind TEXT NOT NULL, key TEXT NOT NULL, until_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE fingerprints (session_id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,
    seen_at_ms INTEGER NOT NULL) STRICT`,
  `CREATE TABLE call_times (user_id TEXT PRIMARY KEY, called_at_ms TEXT NOT NULL,
    newest_at_ms INTEGER NOT NULL) STRICT`,
  `ALTER TABLE users ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended'))`,
  'CREATE TABLE log_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, event TEXT NOT NULL) STRICT',
]

function older(path: string, version: number): DatabaseSync {
  const file = new DatabaseSync(path)
  for (const step of OLDER.slice(0, version)) file.exec(step)
  file.exec(`INSERT INTO users (user_id, email, token_version, created_at_ms)
    VALUES ('${ANN.userId}', '${ANN.email}', ${ANN.tokenVersion}, ${ANN.createdAtMs});
    PRAGMA user_version = ${version}`)
  return file
}

test.each([1, 2, 3, 4, 5, 6, 7])(
  '[DB.2] a file of version %i is taken over with its users',
  async (version) => {
    const path = databasePath()
    older(path, version).close()
    const { users, sessions, settings } = await open(path)
    expect(await users.findById(ANN.userId)).toEqual(ANN)
    expect(await users.findByEmail('ann@EXAMPLE.COM')).toEqual(ANN)
    expect(await users.add({ ...ANN, userId: 'user_2', email: 'ANN@example.com' })).toBeUndefined()
    expect(await sessions.find('none')).toBeUndefined()
    expect(await settings.get('none')).toBeUndefined()
  },
)

test('[DB.2] a file of version 7 keeps all that is in it, and is not for older programs any more', async () => {
  const path = databasePath()
  const file = older(path, 7)
  const untilMs = Date.now() + 60_000
  file.exec(`UPDATE users SET state = 'suspended';
    INSERT INTO settings VALUES ('secret-mark', 'abc');
    INSERT INTO blocks VALUES ('address', '10.0.0.1', ${untilMs});
    INSERT INTO fingerprints VALUES ('s1', 'print', ${Date.now()});
    INSERT INTO call_times VALUES ('user_1', '[1,2]', 2);
    INSERT INTO log_outbox VALUES (41, 5, '{"event":"user_added","userId":"user_1"}')`)
  file.close()
  const stores = await open(path)
  expect(await stores.users.findById(ANN.userId)).toEqual({ ...ANN, state: 'suspended' })
  expect(await stores.settings.get('secret-mark')).toBe('abc')
  expect(await stores.blocks.all()).toEqual([{ kind: 'address', key: '10.0.0.1', untilMs }])
  expect(await stores.fingerprints.last('s1')).toBe('print')
  expect([...(await stores.callTimes.load(0))]).toEqual([['user_1', [1, 2]]])
  await stores.outbox.add({ event: 'user_added', userId: 'user_2' }, 6)
  expect((await stores.outbox.after(0)).map(({ id }) => id)).toEqual([41, 42])
  const version = new DatabaseSync(path, { readOnly: true }).prepare('PRAGMA user_version').get()
  expect(version?.user_version).toBeGreaterThan(7)
})

test('[DATA.3] a database from a newer version is refused and left as it was, byte for byte', async () => {
  const path = databasePath()
  const newer = new DatabaseSync(path)
  newer.exec('CREATE TABLE theirs (a); PRAGMA user_version = 999')
  newer.close()
  const before = readFileSync(path)
  await expect(open(path)).rejects.toThrow('newer version')
  expect(readFileSync(path).equals(before)).toBe(true)
})

test('[DATA.3] a database with a migration that this program does not know is refused', async () => {
  const path = databasePath()
  await (await openSqliteStores(path, realSystem())).close()
  const newer = new DatabaseSync(path)
  newer.exec(`INSERT INTO bridgekeeper_migration VALUES ('9999_later', '2030-01-01T00:00:00.000Z')`)
  newer.close()
  const before = readFileSync(path)
  await expect(open(path)).rejects.toThrow('newer version')
  expect(readFileSync(path).equals(before)).toBe(true)
})

test('[DB.3] a file that is no database, or a damaged one, is refused and left as it was', async () => {
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

test('[DB.3] a file that stays locked is refused after five seconds, and the process goes on meanwhile', async () => {
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

test('[DB.1] many who open a new file at once make its tables once, and all can use it', async () => {
  const path = databasePath()
  const all = await Promise.all(Array.from({ length: 5 }, () => open(path)))
  await all[0]?.users.add(ANN)
  for (const { users } of all) expect(await users.findById(ANN.userId)).toEqual(ANN)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})
