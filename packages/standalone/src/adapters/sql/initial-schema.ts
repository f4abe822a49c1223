import { type ColumnDataType, type CreateTableBuilder, type Kysely, sql } from 'kysely'

/** Differences between the two databases when tables are created. */
export interface Ddl {
  /** For 53 bits. */
  readonly integer: ColumnDataType
  /** Added to each new table. */
  readonly strict: boolean
}

export const SQLITE_DDL: Ddl = { integer: 'integer', strict: true }
export const POSTGRES_DDL: Ddl = { integer: 'bigint', strict: false }

interface Table {
  /** Columns of the primary key. */
  readonly key: readonly string[]
  /** `?` marks nullable columns. */
  readonly columns: Readonly<Record<string, 'text' | 'text?' | 'integer' | 'integer?'>>
  /** Columns with an index each. */
  readonly indexes?: readonly string[]
  /** Columns with a unique index each. */
  readonly unique?: readonly string[]
  /** Conditions by column. */
  readonly checks?: Readonly<Record<string, string>>
}

/** Every table of the first version. `schema.ts` says what the columns mean. */
const TABLES: Readonly<Record<string, Table>> = {
  users: {
    key: ['user_id'],
    columns: {
      user_id: 'text',
      email: 'text',
      token_version: 'integer',
      created_at_ms: 'integer',
      state: 'text',
      email_key: 'text',
      role: 'text',
    },
    unique: ['email_key'],
    checks: { state: `state in ('active', 'suspended')`, role: `role in ('user', 'admin')` },
  },
  credentials: {
    key: ['user_id'],
    columns: { user_id: 'text', password_hash: 'text?', totp_secret: 'text?', totp_used_step: 'integer?' },
  },
  passkeys: {
    key: ['credential_id'],
    columns: {
      credential_id: 'text',
      user_id: 'text',
      name: 'text',
      public_key: 'text',
      counter: 'integer',
      transports: 'text',
      created_at_ms: 'integer',
    },
    indexes: ['user_id'],
  },
  upstream_links: {
    key: ['issuer', 'subject'],
    columns: { issuer: 'text', subject: 'text', user_id: 'text' },
    indexes: ['user_id'],
  },
  sessions: {
    key: ['session_id'],
    columns: {
      session_id: 'text',
      user_id: 'text',
      kind: 'text',
      label: 'text',
      client_id: 'text?',
      device_id: 'text?',
      created_at_ms: 'integer',
      seen_at_ms: 'integer',
      expires_at_ms: 'integer',
      refresh_generation: 'integer',
      refresh_uses: 'text',
      scopes: 'text',
    },
    indexes: ['user_id', 'expires_at_ms'],
  },
  devices: {
    key: ['device_id'],
    columns: {
      device_id: 'text',
      user_id: 'text',
      session_id: 'text',
      name: 'text',
      generation: 'integer',
      created_at_ms: 'integer',
      used_at_ms: 'integer',
      last_connection: 'text',
      before_connection: 'text',
    },
    indexes: ['user_id'],
  },
  device_keys: {
    key: ['key_id'],
    columns: {
      key_id: 'text',
      device_id: 'text',
      user_id: 'text',
      algorithm: 'text',
      generation: 'integer',
      jwk: 'text',
      retires_at_ms: 'integer?',
      revoked_at_ms: 'integer?',
    },
    indexes: ['device_id', 'user_id'],
  },
  oauth_records: {
    key: ['model', 'id'],
    columns: {
      model: 'text',
      id: 'text',
      payload: 'text',
      grant_id: 'text?',
      user_code: 'text?',
      uid: 'text?',
      expires_at_ms: 'integer?',
      consumed_at_ms: 'integer?',
    },
    indexes: ['grant_id', 'user_code', 'uid', 'expires_at_ms'],
  },
  keys: { key: ['name'], columns: { name: 'text', sealed: 'text' } },
  settings: { key: ['name'], columns: { name: 'text', value: 'text' } },
  blocks: { key: ['kind', 'key'], columns: { kind: 'text', key: 'text', until_ms: 'integer' } },
  fingerprints: {
    key: ['session_id'],
    columns: { session_id: 'text', fingerprint: 'text', seen_at_ms: 'integer' },
  },
  call_times: {
    key: ['user_id'],
    columns: { user_id: 'text', called_at_ms: 'text', newest_at_ms: 'integer' },
  },
  counters: { key: ['name'], columns: { name: 'text', value: 'integer' } },
  revocations: {
    key: ['id'],
    columns: { id: 'integer', kind: 'text', target: 'text', at_ms: 'integer' },
  },
  log_outbox: { key: ['id'], columns: { id: 'integer', at_ms: 'integer', event: 'text' } },
}

/** Creates every table, and the counters at 0. */
export async function createInitialSchema(db: Kysely<unknown>, ddl: Ddl): Promise<void> {
  for (const [name, table] of Object.entries(TABLES)) {
    await createTable(db, ddl, name, table)
    for (const column of table.indexes ?? []) await indexOn(db, name, column).execute()
    for (const column of table.unique ?? []) await indexOn(db, name, column).unique().execute()
  }
  await sql`insert into counters (name, value) values ('revocations', 0), ('log_outbox', 0)`.execute(db)
}

async function createTable(
  db: Kysely<unknown>,
  { integer, strict }: Ddl,
  name: string,
  { key, columns, checks = {} }: Table,
): Promise<void> {
  let table: CreateTableBuilder<string, string> = db.schema.createTable(name)
  for (const [column, kind] of Object.entries(columns)) {
    const type = kind.startsWith('text') ? 'text' : integer
    table = table.addColumn(column, type, (added) => (kind.endsWith('?') ? added : added.notNull()))
  }
  table = table.addPrimaryKeyConstraint(`${name}_primary`, [...key])
  for (const [column, condition] of Object.entries(checks))
    table = table.addCheckConstraint(`${name}_${column}`, sql.raw(condition))
  await (strict ? table.modifyEnd(sql`strict`) : table).execute()
}

function indexOn(db: Kysely<unknown>, table: string, column: string) {
  return db.schema.createIndex(`${table}_${column}`).on(table).column(column)
}
