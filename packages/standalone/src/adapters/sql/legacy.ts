import type { DatabaseSync } from 'node:sqlite'

/**
 * SQLite files from before the schema was Kysely's count their steps in `user_version`. These are those steps,
 * each of which brings a file one version further; there will be no more.
 */
const STEPS: readonly string[] = [
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

/** What such a file lacks beside the tables of the first migration. */
const TAKE_OVER = `
  ALTER TABLE users ADD COLUMN email_key TEXT NOT NULL DEFAULT '';
  ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin'));
  UPDATE users SET email_key = lower(email);
  CREATE UNIQUE INDEX users_email_key ON users (email_key);`

/** Programs from before Kysely refuse a file with this version, as they must. */
const TAKEN_OVER = STEPS.length + 1

/** Whether the file was made before the schema was Kysely's. */
export function isLegacy(database: DatabaseSync): boolean {
  const version = versionOf(database)
  return version > 0 && version < TAKEN_OVER
}

/** Whether a program that counts on in `user_version` made the file. There is none, but for a damaged file. */
export function isBeyond(database: DatabaseSync): boolean {
  return versionOf(database) > TAKEN_OVER
}

/** Brings such a file to where the first migration leaves a new one; to be called in a transaction. */
export function takeOver(database: DatabaseSync): void {
  for (const step of STEPS.slice(versionOf(database))) database.exec(step)
  database.exec(TAKE_OVER)
}

/** Keeps older programs from the file; to be called in the transaction of the first migration. */
export function markTakenOver(database: DatabaseSync): void {
  database.exec(`PRAGMA user_version = ${TAKEN_OVER}`)
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version)
}
