import type {
  BlockStore,
  CallTimesStore,
  DeviceStore,
  FingerprintStore,
  Revocations,
  System,
} from '@bridgekeeper/bridge'
import type { KeyStore, SessionStore } from '@bridgekeeper/bridge/parts'
import { Kysely, sql } from 'kysely'
import type { AccountStore, CredentialStore, OAuthStore, RefreshTokenStore } from '../../ports.ts'
import { sqlBlocks } from './blocks.ts'
import { sqlCallTimes } from './call-times.ts'
import { type Counts, countAll } from './counts.ts'
import { sqlCredentials } from './credentials.ts'
import { sqlDevices } from './devices.ts'
import { sqlFingerprints } from './fingerprints.ts'
import { POSTGRES_DDL, SQLITE_DDL } from './initial-schema.ts'
import { sqlKeys } from './keys.ts'
import { migrate, migrationsFor } from './migrations.ts'
import { sqlOAuth } from './oauth.ts'
import { type Outbox, sqlOutbox } from './outbox.ts'
import { sqlRefreshTokens } from './refresh-tokens.ts'
import { SqlRevocations } from './revocations.ts'
import type { Database, Tables } from './schema.ts'
import { sqlSessions } from './sessions.ts'
import { type Settings, sqlSettings } from './settings.ts'
import { openSqliteFile, sqliteDialect } from './sqlite.ts'
import { createSweep } from './sweep.ts'
import { sqlUsers } from './users.ts'

/** All that an installation keeps. */
export interface Stores {
  readonly users: AccountStore
  readonly sessions: SessionStore
  readonly refreshTokens: RefreshTokenStore
  readonly devices: DeviceStore
  readonly credentials: CredentialStore
  readonly oauth: OAuthStore
  readonly keys: KeyStore
  readonly revocations: Revocations
  readonly blocks: BlockStore
  readonly fingerprints: FingerprintStore
  readonly callTimes: CallTimesStore
  readonly settings: Settings
  readonly outbox: Outbox
  counts(): Promise<Counts>
  close(): Promise<void>
}

/**
 * Opens the stores in an SQLite file, created if missing, or in memory with `:memory:`. Several processes may
 * have one file open.
 * @throws NewerDatabaseError; or SQLite's error if the file is not a database, is damaged, or stays locked
 * for 5 seconds. Nothing is changed then.
 */
export async function openSqliteStores(path: string, system: System): Promise<Stores> {
  const file = openSqliteFile(path)
  const db = new Kysely<Tables>({ dialect: sqliteDialect(file) })
  try {
    await refuseDamaged(db)
    // The write lock of the transaction suffices.
    await migrate(db, migrationsFor(SQLITE_DDL), async () => {})
    await sql`pragma journal_mode = wal`.execute(db)
    return await storesIn(db, system)
  } catch (error) {
    file.close()
    throw error
  }
}

/**
 * Opens the stores in a PostgreSQL database, which is shared by all nodes that have its address.
 * @throws NewerDatabaseError; or an error of PostgreSQL or the network, within seconds. Nothing is changed
 * then.
 */
export async function openPostgresStores(url: string, system: System): Promise<Stores> {
  const { postgresDialect, takeMigrationLock } = await import('./postgres.ts')
  const db = new Kysely<Tables>({ dialect: postgresDialect(url) })
  try {
    await migrate(db, migrationsFor(POSTGRES_DDL), takeMigrationLock)
    return await storesIn(db, system)
  } catch (error) {
    await db.destroy()
    throw error
  }
}

async function refuseDamaged(db: Database): Promise<void> {
  const { rows } = await sql<{ quick_check: string }>`pragma quick_check(1)`.execute(db)
  const found = rows[0]?.quick_check
  if (found !== 'ok') throw new Error(`the database is damaged: ${found}`)
}

async function storesIn(db: Database, system: System): Promise<Stores> {
  const sweep = createSweep(db, system)
  const revocations = await SqlRevocations.open(db, system)
  return {
    users: sqlUsers(db, system),
    sessions: sqlSessions(db, system, sweep),
    refreshTokens: sqlRefreshTokens(db),
    devices: sqlDevices(db, system),
    credentials: sqlCredentials(db),
    oauth: sqlOAuth(db, system, sweep),
    keys: sqlKeys(db),
    revocations,
    blocks: sqlBlocks(db, system, sweep),
    fingerprints: sqlFingerprints(db, sweep),
    callTimes: sqlCallTimes(db),
    settings: sqlSettings(db),
    outbox: sqlOutbox(db),
    counts: () => countAll(db, system),
    async close() {
      revocations.close()
      await db.destroy()
    },
  }
}
