import { join } from 'node:path'
import { type Dialect, Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/support/postgres.ts'
import { scratch } from '../../../../test/support/scratch.ts'
import { POSTGRES_DDL, SQLITE_DDL } from '../../src/adapters/sql/initial-schema.ts'
import { type Migrations, migrate, migrationsFor } from '../../src/adapters/sql/migrations.ts'
import { postgresDialect, takeMigrationLock } from '../../src/adapters/sql/postgres.ts'
import type { Database, Tables } from '../../src/adapters/sql/schema.ts'
import { openSqliteFile, sqliteDialect } from '../../src/adapters/sql/sqlite.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres()
})

/** A fresh database, as a function that opens it once more. */
interface Fresh {
  readonly connect: () => Database
  readonly migrate: (db: Database, migrations: Migrations) => Promise<void>
  readonly first: Migrations
}

function opened(dialect: Dialect): Database {
  const db = new Kysely<Tables>({ dialect })
  onTestFinished(() => db.destroy())
  return db
}

async function freshSqlite(): Promise<Fresh> {
  const path = join(scratch(), 'test.db')
  return {
    connect: () => opened(sqliteDialect(openSqliteFile(path))),
    migrate: (db, migrations) => migrate(db, migrations, async () => {}),
    first: migrationsFor(SQLITE_DDL),
  }
}

async function freshPostgres(): Promise<Fresh> {
  const url = await postgres.fresh()
  return {
    connect: () => opened(postgresDialect(url)),
    migrate: (db, migrations) => migrate(db, migrations, takeMigrationLock),
    first: migrationsFor(POSTGRES_DDL),
  }
}

/** A migration as a later version could add it: a new column for existing rows. */
const addsColumn: Migration = {
  up: (db) =>
    db.schema
      .alterTable('settings')
      .addColumn('note', 'text', (column) => column.notNull().defaultTo('from before'))
      .execute(),
}

const fails: Migration = {
  async up(db) {
    await addsColumn.up(db)
    await sql`update settings set value = 'half'`.execute(db)
    throw new Error('no space left')
  },
}

const settingsIn = async (db: Database): Promise<readonly unknown[]> =>
  (await sql`select * from settings`.execute(db)).rows

describe.each([
  { database: 'SQLite', fresh: freshSqlite },
  { database: 'PostgreSQL', fresh: freshPostgres },
])('$database', ({ fresh }) => {
  async function withOneSetting(): Promise<Fresh & { readonly db: Database }> {
    const made = await fresh()
    const db = made.connect()
    await made.migrate(db, made.first)
    await db.insertInto('settings').values({ name: 'a', value: '1' }).execute()
    return { ...made, db }
  }

  test('[DB.1] applies the migration of a later version once, and keeps the rows', async () => {
    const { connect, migrate, first, db } = await withOneSetting()
    const later = { ...first, '0002_note': addsColumn }
    await Promise.all(Array.from({ length: 4 }, () => migrate(connect(), later)))
    expect(await settingsIn(db)).toEqual([{ name: 'a', value: '1', note: 'from before' }])
  })

  test('[DB.1] rolls back a migration that fails midway, and applies the repaired one later', async () => {
    const { connect, migrate, first, db } = await withOneSetting()
    await expect(migrate(connect(), { ...first, '0002_note': fails })).rejects.toThrow('no space left')
    expect(await settingsIn(db)).toEqual([{ name: 'a', value: '1' }])
    await migrate(db, first)
    await migrate(connect(), { ...first, '0002_note': addsColumn })
    expect(await settingsIn(db)).toEqual([{ name: 'a', value: '1', note: 'from before' }])
  })

  test('[DATA.3] refuses, in the version before, a database with the later migration', async () => {
    const { migrate, first, db } = await withOneSetting()
    await migrate(db, { ...first, '0002_note': addsColumn })
    await expect(migrate(db, first)).rejects.toThrow('newer version')
  })
})
