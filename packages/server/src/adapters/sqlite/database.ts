import { DatabaseSync } from 'node:sqlite'

export type Database = DatabaseSync

/** Each entry brings the schema one version further; entries are only ever added. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE users (
     user_id TEXT PRIMARY KEY,
     email TEXT NOT NULL UNIQUE COLLATE NOCASE,
     token_version INTEGER NOT NULL,
     created_at_ms INTEGER NOT NULL
   ) STRICT`,
]

/**
 * Opens the file, makes it when it is missing, and brings its schema up to date under a write lock,
 * so that processes that start at once do it once.
 *
 * @throws when the file is no database, is newer than this program, or stays locked for 5 seconds
 */
export function openDatabase(path: string): Database {
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON')
    migrate(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: Database): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version)
    if (version > MIGRATIONS.length)
      throw new Error('The database was made by a newer version of this program.')
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
