import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Revocation } from '@bridgekeeper/bridge'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { startPostgres } from '../../../../test/support/postgres.ts'
import { scratch } from '../../../../test/support/scratch.ts'
import { openPostgresStores, openSqliteStores, type Stores } from '../../src/adapters/sql/open.ts'
import { ANN, DEVICE, NOW_MS, SESSION } from './examples.ts'

interface TestDatabase {
  open(system: FakeSystem): Promise<Stores>
  /** Runs a statement as an operator. */
  run(sql: string): Promise<void>
}

async function sqlite(): Promise<TestDatabase> {
  const path = join(scratch(), 'ending.db')
  return {
    open: (system) => openSqliteStores(path, system),
    async run(sql) {
      const file = new DatabaseSync(path)
      file.exec(sql)
      file.close()
    },
  }
}

async function postgres(): Promise<TestDatabase> {
  const server = await startPostgres()
  const url = await server.fresh()
  return {
    open: (system) => openPostgresStores(url, system),
    run: async (sql) => void (await server.query(url, sql)),
  }
}

type Act = (stores: Stores, id?: string) => Promise<unknown>

const ENDINGS: readonly (readonly [string, Revocation, Act, Act])[] = [
  [
    'a session is ended',
    { kind: 'session', id: 's1' },
    ({ sessions }, id = 's1') => sessions.end(id),
    ({ sessions }) => sessions.find('s1'),
  ],
  [
    'a device is revoked',
    { kind: 'device', id: 'd1' },
    ({ devices }, id = 'd1') => devices.revoke(id, NOW_MS),
    ({ devices }) => devices.find('d1'),
  ],
  [
    'a user is removed',
    { kind: 'user', id: ANN.userId },
    ({ users }, id = ANN.userId) => users.remove(id),
    ({ users }) => users.findById(ANN.userId),
  ],
]

// Mutation tests do without PostgreSQL: it is another process, and slow to start for each mutant.
const DATABASES = process.env.BRIDGEKEEPER_MUTATE === undefined ? { sqlite, postgres } : { sqlite }

describe.each(Object.entries(DATABASES))('%s', (_, start) => {
  test.each(ENDINGS)(
    '[STORE.16] when %s, stores the end and its publication together or not at all',
    async (_ending, revocation, end, find) => {
      const database = await start()
      const system = new FakeSystem()
      const [one, other] = [await database.open(system), await database.open(system)]
      onTestFinished(async () => void (await Promise.all([one.close(), other.close()])))
      await one.users.add(ANN)
      await one.sessions.add(SESSION)
      await one.devices.add(DEVICE)
      const told: Revocation[] = []
      other.revocations.watch((revoked) => told.push(revoked))

      await database.run('alter table revocations rename to missing')
      await expect(end(one)).rejects.toThrow('revocations')
      expect(await find(one)).toBeDefined()
      await database.run('alter table missing rename to revocations')
      // The retry ends and publishes it. An id that is not there is not published.
      expect(await end(one)).toBe(true)
      expect(await find(one)).toBeUndefined()
      expect(await end(one)).toBe(false)
      expect(await end(one, 'not there')).toBe(false)

      const last: Revocation = { kind: 'user', id: 'last' }
      await one.revocations.publish(last)
      const read = (): readonly Revocation[] => {
        system.advance(250)
        return told
      }
      await expect.poll(read, { interval: 5 }).toEqual([revocation, last])
    },
  )
})
