import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { realSystem } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { startPostgres } from '../../../../test/support/postgres.ts'
import { scratch } from '../../../../test/support/scratch.ts'
import { openPostgresStores, openSqliteStores, type Stores } from '../../src/adapters/sql/open.ts'

const ADDER = join(import.meta.dirname, '../fixtures/adder.ts')
const PROCESSES = 4

/** Starts real processes on one new database, all at once. */
async function addAtOnce(where: string): Promise<readonly string[]> {
  const started = Array.from({ length: PROCESSES }, (_, index) =>
    promisify(execFile)(process.execPath, [ADDER, where, index % 2 === 0 ? 'ann@x.y' : 'ANN@x.y']),
  )
  return (await Promise.all(started)).map(({ stdout }) => stdout.trim()).sort()
}

async function expectWhole(stores: Stores): Promise<void> {
  onTestFinished(() => stores.close())
  expect(await stores.users.list('', 10)).toHaveLength(1)
  const ids = (await stores.outbox.after(0)).map(({ id }) => id)
  expect(ids).toEqual(Array.from({ length: PROCESSES * 20 }, (_, index) => index + 1))
}

const EXPECTED = ['added', ...Array.from({ length: PROCESSES - 1 }, () => 'taken')]

test('[DB.1] [DATA.1] adds an email once and locks out no process when several start at once on a new file', async () => {
  const path = join(scratch(), 'new.db')
  expect(await addAtOnce(path)).toEqual(EXPECTED)
  await expectWhole(await openSqliteStores(path, realSystem()))
}, 120_000)

test('[DB.1] [DATA.1] adds an email once when several processes start at once on a new PostgreSQL database', async () => {
  const url = await (await startPostgres()).fresh()
  expect(await addAtOnce(url)).toEqual(EXPECTED)
  await expectWhole(await openPostgresStores(url, realSystem()))
}, 120_000)
