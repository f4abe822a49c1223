import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { isBusy } from '../busy.ts'

const LOCK_WAIT_MS = 5_000
const LOCK_RETRY_MS = 10

/** Statements that stay prepared. There are fewer than this many in our stores. */
const MAX_PREPARED = 300
/** Longer ones write many rows, and hardly ever come again. */
const MAX_PREPARED_CHARS = 2_000

/**
 * Opens the file, and creates it if missing; `:memory:` is a separate database that ends with the process.
 * Reads nothing yet.
 * @throws if the file cannot be opened
 */
export function openSqliteFile(path: string): DatabaseSync {
  // Creates the file for the owner alone, regardless of the folder's rights.
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
  return new DatabaseSync(path, { timeout: 0 })
}

/** Kysely over `node:sqlite`: one connection, so that one query or transaction runs at a time. */
export function sqliteDialect(database: DatabaseSync): Dialect {
  return {
    createDriver: () => new SqliteDriver(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

/** SQLite can change its schema within a transaction; Kysely assumes otherwise. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class SqliteDriver implements Driver {
  readonly #database: DatabaseSync
  readonly #connection: SqliteConnection

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#connection = new SqliteConnection(database)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  /** Takes the write lock at once: a transaction that reads first could fail when another process writes. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite ends the transaction itself after some errors, such as a full disk.
    if (this.#database.isTransaction) await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async destroy(): Promise<void> {
    if (this.#database.isOpen) this.#database.close()
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /**
   * Waits for another process's lock without holding up this one.
   * @throws `database is locked` after 5 seconds
   */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    for (let leftMs = LOCK_WAIT_MS; leftMs > 0; leftMs -= LOCK_RETRY_MS) {
      try {
        return this.#execute(query)
      } catch (error) {
        if (!isBusy(error)) throw error
        await setTimeout(LOCK_RETRY_MS)
      }
    }
    return this.#execute(query)
  }

  // biome-ignore lint/correctness/useYield: the interface requires it, and nothing is streamed
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('nothing is streamed here')
  }

  #execute<R>({ sql, parameters }: CompiledQuery): QueryResult<R> {
    const statement = this.#prepare(sql)
    const values = parameters as readonly SQLInputValue[]
    if (statement.columns().length > 0) return { rows: statement.all(...values) as R[] }
    const { changes } = statement.run(...values)
    return { rows: [], numAffectedRows: BigInt(changes) }
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    if (sql.length > MAX_PREPARED_CHARS) return statement
    if (this.#prepared.size >= MAX_PREPARED) this.#prepared.clear()
    this.#prepared.set(sql, statement)
    return statement
  }
}
