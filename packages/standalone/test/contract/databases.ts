import { join } from 'node:path'
import { realSystem, type System } from '@bridgekeeper/bridge'
import { beforeAll, describe, onTestFinished } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/support/postgres.ts'
import { scratch } from '../../../../test/support/scratch.ts'
import { openPostgresStores, openSqliteStores, type Stores } from '../../src/adapters/sql/open.ts'

/** Opens the stores of one database; each call is as another process that has it open. */
export type Open = (system?: System) => Promise<Stores>

/** Each of these makes a fresh database. */
const SQLITE: Readonly<Record<string, () => Open>> = {
  'SQLite in memory': () => {
    let only: Promise<Stores> | undefined
    return (system = realSystem()) => {
      only ??= closing(openSqliteStores(':memory:', system))
      return only
    }
  },
  'SQLite file': () => {
    const path = join(scratch(), 'contract.db')
    return (system = realSystem()) => closing(openSqliteStores(path, system))
  },
}

/** The contract of stores: the same tests on every kind of database. */
export function describeStores(title: string, body: (fresh: () => Open) => void): void {
  for (const [name, fresh] of Object.entries(SQLITE)) describe(`${title}: ${name}`, () => body(fresh))
  // Mutation tests do without: it is another process, and slow to start for each mutant.
  if (process.env.BRIDGEKEEPER_MUTATE !== undefined) return
  describe(`${title}: PostgreSQL`, () => {
    let postgres: Postgres
    beforeAll(async () => {
      postgres = await startPostgres()
    })
    body(() => {
      let url: Promise<string> | undefined
      return async (system = realSystem()) => {
        url ??= postgres.fresh()
        return closing(openPostgresStores(await url, system))
      }
    })
  })
}

async function closing(opening: Promise<Stores>): Promise<Stores> {
  const stores = await opening
  onTestFinished(() => stores.close())
  return stores
}
