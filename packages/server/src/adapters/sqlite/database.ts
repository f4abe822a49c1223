import { closeSync, openSync } from 'node:fs'
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
  'CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT',
  `CREATE TABLE blocks (
     kind TEXT NOT NULL,
     key TEXT NOT NULL,
     until_ms INTEGER NOT NULL,
     PRIMARY KEY (kind, key)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE fingerprints (
     session_id TEXT PRIMARY KEY,
     fingerprint TEXT NOT NULL,
     seen_at_ms INTEGER NOT NULL
   ) STRICT`,
  `CREATE TABLE call_times (
     user_id TEXT PRIMARY KEY,
     called_at_ms TEXT NOT NULL,
     newest_at_ms INTEGER NOT NULL
   ) STRICT`,
  `ALTER TABLE users ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended'))`,
  `CREATE TABLE log_outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     at_ms INTEGER NOT NULL,
     event TEXT NOT NULL
   ) STRICT`,
]

/**
 * Opens the file, makes it when it is missing, and brings its schema up to date under a write lock,
 * so that processes that start at once do it once.
 *
 * @throws when the file is no database, is newer than this program, or stays locked for 5 seconds
 */
export function openDatabase(path: string): Database {
  // Made for the owner alone, whatever the folder allows.
  closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON')
    refuseNewer(database)
    database.exec('PRAGMA journal_mode = WAL')
    migrate(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: Database): void {
  inTransaction(database, () => {
    const version = refuseNewer(database)
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
  })
}

/**
 * Does all of it or nothing. One that were left open would swallow every later write of this process, and
 * keep all other processes from theirs.
 */
export function inTransaction(database: Database, run: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    run()
    database.exec('COMMIT')
  } catch (error) {
    // SQLite ends it by itself after some errors, such as a full disk.
    if (database.isTransaction !== false) database.exec('ROLLBACK')
    throw error
  }
}

/** @returns the version of its schema */
function refuseNewer(database: DatabaseSync): number {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version)
  if (version <= MIGRATIONS.length) return version
  throw new Error('The database was made by a newer version of this program.')
}
