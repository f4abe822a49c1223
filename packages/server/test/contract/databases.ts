import { join } from 'node:path'
import { realSystem, type System } from '@bridgekeeper/server'
import { describe, onTestFinished } from 'vitest'
import { scratch } from '../../../../test/support/scratch.ts'
import { openSqliteStores, type Stores } from '../../src/adapters/sql/open.ts'

/** Opens the stores of one database; each call is as another process that has it open. */
export type Open = (system?: System) => Promise<Stores>

/** Each kind of database; a call makes a fresh one. */
const DATABASES: Readonly<Record<string, () => Open>> = {
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

/** The contract of stores: the same tests on every database. */
export function describeStores(title: string, body: (fresh: () => Open) => void): void {
  for (const [name, fresh] of Object.entries(DATABASES)) describe(`${title}: ${name}`, () => body(fresh))
}

async function closing(opening: Promise<Stores>): Promise<Stores> {
  const stores = await opening
  onTestFinished(() => stores.close())
  return stores
}
