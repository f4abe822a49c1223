import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { memoryUsers, type User, type UserStore } from '@bridgekeeper/server'
import { describe, expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { openDatabase } from '../src/adapters/sqlite/database.ts'
import { sqliteUsers } from '../src/adapters/sqlite/users.ts'

const ANN: User = {
  userId: 'user_1',
  email: 'Ann@example.com',
  tokenVersion: 2,
  createdAtMs: 1_800_000_000_123,
  state: 'active',
}

/** The contract of the user store; every adapter passes it. */
function describeUserStore(name: string, open: () => UserStore): void {
  describe(name, () => {
    test('[DATA.1] what was added is found by id and by email, letter case aside', async () => {
      const users = open()
      expect(await users.add(ANN)).toEqual(ANN)
      expect(await users.findById('user_1')).toEqual(ANN)
      expect(await users.findByEmail('aNN@EXAMPLE.com')).toEqual(ANN)
      expect(await users.findById('user_2')).toBeUndefined()
      expect(await users.findByEmail("' OR 1=1 --")).toBeUndefined()
    })

    test('[DATA.1] of two users with one email only the first is added', async () => {
      const users = open()
      const added = await Promise.all([
        users.add(ANN),
        users.add({ ...ANN, userId: 'user_2', email: 'ann@example.com' }),
      ])
      expect(added).toEqual([ANN, undefined])
      expect(await users.findById('user_2')).toBeUndefined()
    })

    test('[DATA.6] a user is suspended and made active again, and nobody else is', async () => {
      const users = open()
      const bob: User = { ...ANN, userId: 'user_2', email: 'bob@example.com' }
      await users.add(ANN)
      await users.add(bob)
      expect(await users.setState('user_1', 'suspended')).toEqual({ ...ANN, state: 'suspended' })
      expect(await users.findByEmail(ANN.email)).toEqual({ ...ANN, state: 'suspended' })
      expect(await users.findById('user_2')).toEqual(bob)
      expect(await users.setState('user_1', 'active')).toEqual(ANN)
      expect(await users.setState('user_3', 'active')).toBeUndefined()
    })

    test('[DATA.6] each of many raises of a token version raises it', async () => {
      const users = open()
      await users.add(ANN)
      await Promise.all(Array.from({ length: 10 }, () => users.raiseTokenVersion('user_1')))
      expect(await users.findById('user_1')).toEqual({ ...ANN, tokenVersion: 12 })
      expect(await users.raiseTokenVersion('user_3')).toBeUndefined()
    })
  })
}

describeUserStore('memory', () => memoryUsers())
describeUserStore('sqlite', () => sqliteUsers(openDatabase(databasePath())))

test('[DATA.2] what one process adds to the file, another that has it open finds', async () => {
  const path = databasePath()
  const [one, other] = [sqliteUsers(openDatabase(path)), sqliteUsers(openDatabase(path))]
  await one.add(ANN)
  expect(await other.findById('user_1')).toEqual(ANN)
})

test('[DATA.6] a database from before there were states is brought up to date, its users active', async () => {
  const path = databasePath()
  const older = new DatabaseSync(path)
  older.exec(`CREATE TABLE users (user_id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    token_version INTEGER NOT NULL, created_at_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    INSERT INTO users VALUES ('user_1', 'Ann@example.com', 2, 1800000000123);
    PRAGMA user_version = 2`)
  older.close()
  expect(await sqliteUsers(openDatabase(path)).findById('user_1')).toEqual(ANN)
})

test('[DATA.3] a database from a newer version is refused and left as it was, byte for byte', () => {
  const path = databasePath()
  const newer = new DatabaseSync(path)
  newer.exec('CREATE TABLE theirs (a); PRAGMA user_version = 999')
  newer.close()
  const before = readFileSync(path)
  expect(() => openDatabase(path)).toThrow('newer version')
  expect(readFileSync(path).equals(before)).toBe(true)
})

function databasePath(): string {
  return join(scratch(), 'test.db')
}
