import { type Dialect, PostgresAdapter, PostgresDialect, sql } from 'kysely'
import { Pool, types } from 'pg'
import type { Database } from './schema.ts'

const MAX_CONNECTIONS = 10
const CONNECT_MS = 5_000
/** How long the database may take for one statement; that includes waiting for another's lock. */
const STATEMENT_MS = 10_000
/** A little more, so that the database's own refusal comes first. */
const ANSWER_MS = 12_000
const IDLE_MS = 30_000
/** A connection on which nothing comes any more is given up then, and a new address of the host is found. */
const MAX_AGE_SECONDS = 60
const INT8_OID = types.builtins.INT8
/** Unique to this program among the advisory locks of a database. */
const MIGRATION_LOCK = 7_262_024_118

/** Kysely over `pg`, with a bounded pool; nothing is connected yet. */
export function postgresDialect(url: string): Dialect {
  return new LockedByUs({
    pool: async () => {
      const pool = new Pool({
        connectionString: url,
        application_name: 'bridgekeeper',
        max: MAX_CONNECTIONS,
        connectionTimeoutMillis: CONNECT_MS,
        idleTimeoutMillis: IDLE_MS,
        maxLifetimeSeconds: MAX_AGE_SECONDS,
        statement_timeout: STATEMENT_MS,
        query_timeout: ANSWER_MS,
        idle_in_transaction_session_timeout: STATEMENT_MS,
        keepAlive: true,
        types: { getTypeParser },
      })
      // An idle connection that breaks is replaced; without a listener it would end the process.
      pool.on('error', () => {})
      return pool
    },
  })
}

/** Lets one process at a time bring the schema up to date, until its transaction ends. */
export async function takeMigrationLock(transaction: Database): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(transaction)
}

class LockedByUs extends PostgresDialect {
  override createAdapter(): PostgresAdapter {
    return new AdapterWithoutLock()
  }
}

/** Kysely's own lock is the session's: it would outlive a migration that fails. */
class AdapterWithoutLock extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

/** Our 64-bit values fit 53 bits: times, counters and versions. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8_OID && format !== 'binary') return Number
  return types.getTypeParser(oid, format)
}
