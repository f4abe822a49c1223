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
