import { type ColumnDataType, type CreateTableBuilder, type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Database } from './schema.ts'

/** Not Kysely's own name for it, which an app in the same database may use. */
const MIGRATION_TABLE = 'bridgekeeper_migration'

/** Differences between the two databases when tables are created. */
export interface Ddl {
  /** For 53 bits. */
  readonly integer: ColumnDataType
  /** Added to each new table. */
  readonly strict: boolean
}

class NewerDatabaseError extends Error {
  override readonly name = 'NewerDatabaseError'

  constructor() {
    super('it was created by a newer version of this program')
  }
}

/**
 * Migrates the schema, completely or not at all. A second process waits.
 * @param takeLock taken first in the transaction
 * @throws NewerDatabaseError if a newer program made the schema; nothing is changed then
 */
export async function migrate(
  db: Database,
  ddl: Ddl,
  takeLock: (transaction: Database) => Promise<void>,
): Promise<void> {
  const migrations = migrationsOf(ddl)
  if (await isCurrent(db, migrations)) return
  await db.transaction().execute(async (transaction) => {
    await takeLock(transaction)
    if (await isCurrent(transaction, migrations)) return
    const migrator = new Migrator({
      db: transaction,
      provider: { getMigrations: async () => migrations },
      migrationTableName: MIGRATION_TABLE,
      migrationLockTableName: `${MIGRATION_TABLE}_lock`,
    })
    const { error } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
  })
}

/** @throws NewerDatabaseError */
async function isCurrent(db: Database, migrations: Record<string, Migration>): Promise<boolean> {
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

/** Migrations, ordered by name. A released migration is never changed; new ones are added. */
function migrationsOf(ddl: Ddl): Record<string, Migration> {
  return {
    '0001_bridge': { up: (db) => bridgeTables(db, ddl) },
    '0002_identity': { up: (db) => identityTables(db, ddl) },
    '0003_refresh_generations': { up: (db) => refreshGenerations(db, ddl) },
    '0004_session_scopes': { up: sessionScopes },
  }
}

type Columns = Readonly<Record<string, 'text' | 'text?' | 'integer' | 'integer?'>>

/** Creates a table; `?` marks nullable columns. */
async function createTable(
  db: Kysely<unknown>,
  { integer, strict }: Ddl,
  name: string,
  primaryKey: readonly string[],
  columns: Columns,
  refine: (table: CreateTableBuilder<string, string>) => CreateTableBuilder<string, string> = (t) => t,
): Promise<void> {
  let table: CreateTableBuilder<string, string> = db.schema.createTable(name)
  for (const [column, kind] of Object.entries(columns)) {
    const type = kind.startsWith('text') ? 'text' : integer
    table = table.addColumn(column, type, (added) => (kind.endsWith('?') ? added : added.notNull()))
  }
  table = refine(table.addPrimaryKeyConstraint(`${name}_primary`, [...primaryKey]))
  await (strict ? table.modifyEnd(sql`strict`) : table).execute()
}

async function createIndex(db: Kysely<unknown>, table: string, ...columns: readonly string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_${columns.join('_')}`)
    .on(table)
    .columns([...columns])
    .execute()
}

async function bridgeTables(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  await createTable(
    db,
    ddl,
    'users',
    ['user_id'],
    {
      user_id: 'text',
      email: 'text',
      token_version: 'integer',
      created_at_ms: 'integer',
      state: 'text',
      email_key: 'text',
      role: 'text',
    },
    (table) =>
      table
        .addCheckConstraint('users_state', sql`state in ('active', 'suspended')`)
        .addCheckConstraint('users_role', sql`role in ('user', 'admin')`),
  )
  await db.schema.createIndex('users_email_key').unique().on('users').column('email_key').execute()
  await createTable(db, ddl, 'settings', ['name'], { name: 'text', value: 'text' })
  await createTable(db, ddl, 'blocks', ['kind', 'key'], { kind: 'text', key: 'text', until_ms: 'integer' })
  await createTable(db, ddl, 'fingerprints', ['session_id'], {
    session_id: 'text',
    fingerprint: 'text',
    seen_at_ms: 'integer',
  })
  await createTable(db, ddl, 'call_times', ['user_id'], {
    user_id: 'text',
    called_at_ms: 'text',
    newest_at_ms: 'integer',
  })
  await createTable(db, ddl, 'log_outbox', ['id'], { id: 'integer', at_ms: 'integer', event: 'text' })
}

async function identityTables(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  await counters(db, ddl)
  await sessionTables(db, ddl)
  await deviceTables(db, ddl)
  await credentialTables(db, ddl)
  await createTable(db, ddl, 'oauth_records', ['model', 'id'], {
    model: 'text',
    id: 'text',
    payload: 'text',
    grant_id: 'text?',
    user_code: 'text?',
    uid: 'text?',
    expires_at_ms: 'integer?',
    consumed_at_ms: 'integer?',
  })
  for (const column of ['grant_id', 'user_code', 'uid', 'expires_at_ms']) {
    await createIndex(db, 'oauth_records', column)
  }
  await createTable(db, ddl, 'keys', ['name'], { name: 'text', sealed: 'text' })
}

async function counters(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  await createTable(db, ddl, 'counters', ['name'], { name: 'text', value: 'integer' })
  await sql`insert into counters (name, value) values ('revocations', 0), ('log_outbox', 0)`.execute(db)
  await createTable(db, ddl, 'revocations', ['id'], {
    id: 'integer',
    kind: 'text',
    target: 'text',
    at_ms: 'integer',
  })
}

async function sessionTables(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  await createTable(db, ddl, 'sessions', ['session_id'], {
    session_id: 'text',
    user_id: 'text',
    kind: 'text',
    label: 'text',
    client_id: 'text?',
    device_id: 'text?',
    created_at_ms: 'integer',
    seen_at_ms: 'integer',
    expires_at_ms: 'integer',
  })
  await createIndex(db, 'sessions', 'user_id')
  await createIndex(db, 'sessions', 'expires_at_ms')
  await createTable(db, ddl, 'refresh_tokens', ['hash'], {
    hash: 'text',
    session_id: 'text',
    expires_at_ms: 'integer',
    used_at_ms: 'integer?',
  })
  await createIndex(db, 'refresh_tokens', 'session_id')
  await createIndex(db, 'refresh_tokens', 'expires_at_ms')
}

async function deviceTables(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  await createTable(db, ddl, 'devices', ['device_id'], {
    device_id: 'text',
    user_id: 'text',
    session_id: 'text',
    name: 'text',
    generation: 'integer',
    created_at_ms: 'integer',
    used_at_ms: 'integer',
    last_connection: 'text',
    before_connection: 'text',
  })
  await createIndex(db, 'devices', 'user_id')
  await createTable(db, ddl, 'device_keys', ['key_id'], {
    key_id: 'text',
    device_id: 'text',
    user_id: 'text',
    algorithm: 'text',
    generation: 'integer',
    jwk: 'text',
    retires_at_ms: 'integer?',
    revoked_at_ms: 'integer?',
  })
  await createIndex(db, 'device_keys', 'device_id')
  await createIndex(db, 'device_keys', 'user_id')
}

async function credentialTables(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  await createTable(db, ddl, 'credentials', ['user_id'], {
    user_id: 'text',
    password_hash: 'text?',
    totp_secret: 'text?',
    totp_used_step: 'integer?',
  })
  await createTable(db, ddl, 'passkeys', ['credential_id'], {
    credential_id: 'text',
    user_id: 'text',
    name: 'text',
    public_key: 'text',
    counter: 'integer',
    transports: 'text',
    created_at_ms: 'integer',
  })
  await createIndex(db, 'passkeys', 'user_id')
  await createTable(db, ddl, 'upstream_links', ['issuer', 'subject'], {
    issuer: 'text',
    subject: 'text',
    user_id: 'text',
  })
  await createIndex(db, 'upstream_links', 'user_id')
}

/** Replaces a row per token by a counter per session. Browsers must log in again after this. */
async function refreshGenerations(db: Kysely<unknown>, { integer }: Ddl): Promise<void> {
  await db.schema
    .alterTable('sessions')
    .addColumn('refresh_generation', integer, (column) => column.notNull().defaultTo(1))
    .execute()
  await db.schema
    .alterTable('sessions')
    .addColumn('refresh_uses', 'text', (column) => column.notNull().defaultTo('[]'))
    .execute()
  await db.schema.dropTable('refresh_tokens').execute()
}

/** Scopes of issued tokens, for the list of tokens. Those of earlier ones stay unknown. */
async function sessionScopes(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('scopes', 'text').execute()
}
