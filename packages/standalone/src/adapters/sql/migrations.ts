import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { createInitialSchema, type Ddl } from './initial-schema.ts'
import type { Database } from './schema.ts'

/** Not Kysely's own name for it, which an app in the same database may use. */
const MIGRATION_TABLE = 'bridgekeeper_migration'

/** Migrations by name, which gives their order. */
export type Migrations = Readonly<Record<string, Migration>>

class NewerDatabaseError extends Error {
  override readonly name = 'NewerDatabaseError'

  constructor() {
    super('it was created by a newer version of this program')
  }
}

/** Every migration. A released one is never changed; a later version adds the next. */
export function migrationsFor(ddl: Ddl): Migrations {
  return { '0001_initial': { up: (db) => createInitialSchema(db, ddl) } }
}

/**
 * Migrates the schema, completely or not at all. A second process waits.
 * @param takeLock taken first in the transaction
 * @throws NewerDatabaseError if a newer program made the schema; nothing is changed then
 */
export async function migrate(
  db: Database,
  migrations: Migrations,
  takeLock: (transaction: Database) => Promise<void>,
): Promise<void> {
  if (await isCurrent(db, migrations)) return
  await db.transaction().execute(async (transaction) => {
    await takeLock(transaction)
    if (await isCurrent(transaction, migrations)) return
    const migrator = new Migrator({
      db: transaction,
      provider: { getMigrations: async () => ({ ...migrations }) },
      migrationTableName: MIGRATION_TABLE,
      migrationLockTableName: `${MIGRATION_TABLE}_lock`,
    })
    const { error } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
  })
}

/** @throws NewerDatabaseError */
async function isCurrent(db: Database, migrations: Migrations): Promise<boolean> {
  const applied = await appliedMigrations(db)
  if (applied.some((name) => !(name in migrations))) throw new NewerDatabaseError()
  return applied.length === Object.keys(migrations).length
}

async function appliedMigrations(db: Database): Promise<readonly string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === MIGRATION_TABLE)) return []
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)}`.execute(db)
  return rows.map(({ name }) => name)
}
