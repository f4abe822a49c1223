import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { System } from '@bridgekeeper/bridge'
import type { Environment } from '@bridgekeeper/bridge/parts'
import { hasCode } from '@bridgekeeper/protocol'
import type { Stores } from '../adapters/sql/open.ts'
import { SECRETS } from '../config/serve-table.ts'
import { SetupError } from '../config/setup-error.ts'
import { demandTrusted } from './file-rights.ts'

const DATABASE_FILE = 'bridgekeeper.db'
/** Files that SQLite keeps beside a database, and reads. */
const COMPANIONS = ['', '-wal', '-shm', '-journal']

/**
 * Opens the database of an installation: the PostgreSQL of `DATABASE_URL` or `DATABASE_URL_FILE`, else a file
 * in the data folder. Messages never contain the address, since it has a password.
 * @throws SetupError `data_folder_unusable`, `rights_unsafe`, `secret_unreadable`, `database_unusable`,
 * `database_newer`; nothing was changed then
 */
export async function openDatabase(folder: string, env: Environment, system: System): Promise<Stores> {
  const url = databaseUrl(env)
  // Imported here, so that commands without a database load no driver.
  const { openPostgresStores, openSqliteStores } = await import('../adapters/sql/open.ts')
  try {
    if (url !== undefined) return await openPostgresStores(url, system)
    return await openSqliteStores(ownDatabase(join(folder, DATABASE_FILE)), system)
  } catch (error) {
    if (error instanceof SetupError) throw error
    if (isNewer(error))
      throw newer(url === undefined ? `The database in ${folder}` : 'The database of DATABASE_URL')
    throw url === undefined ? folderUnusable(folder, error) : unreachable(error)
  }
}

/**
 * Creates the file for its owner alone; SQLite would let every account read it. Never opens an existing file:
 * closing it would release the locks of this process on it.
 *
 * @throws SetupError `rights_unsafe`
 */
function ownDatabase(path: string): string {
  for (const companion of COMPANIONS) demandTrusted(path + companion)
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
  return path
}

/** @throws SetupError `data_folder_unusable` */
export function folderUnusable(folder: string, cause: unknown): SetupError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new SetupError(
    'data_folder_unusable',
    `The data folder ${folder} cannot be used: ${why}`,
    'Nothing was changed. Choose another folder with --data DIR, or repair this one.',
    { cause },
  )
}

/** @throws SetupError `database_unusable` if it is not an address; `secret_unreadable`, `rights_unsafe` */
function databaseUrl(env: Environment): string | undefined {
  const url = SECRETS.databaseUrl.read({ flags: {}, env })
  if (url === undefined) return undefined
  if (/^postgres(?:ql)?:\/\//.test(url) && URL.canParse(url)) return url
  throw new SetupError(
    'database_unusable',
    'DATABASE_URL must be the address of a PostgreSQL database.',
    'Give one like postgres://USER:PASSWORD@HOST:5432/NAME, with special characters %-encoded, or none at all.',
  )
}

function isNewer(error: unknown): boolean {
  return error instanceof Error && error.name === 'NewerDatabaseError'
}

function newer(which: string): SetupError {
  return new SetupError(
    'database_newer',
    `${which} was created by a newer version of this program.`,
    'Nothing was changed. Use that version, or another database.',
  )
}

/** Reasons by SQLSTATE (PostgreSQL manual, appendix A) or system error code. The original messages may name users. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at its address',
  ENOTFOUND: 'its host name cannot be resolved',
  EAI_AGAIN: 'its host name cannot be resolved at the moment',
  EHOSTUNREACH: 'its host cannot be reached',
  ECONNRESET: 'it closed the connection',
  '28P01': 'it refuses the user or the password',
  '28000': 'it refuses the user',
  '3D000': 'it has no database of that name',
  '42501': 'its user lacks the rights to create or use the tables',
  '42P07': 'it holds tables of another program',
  '53300': 'it has no free connection',
  '55P03': 'another node has been changing its tables for too long',
  '57014': 'another node has been changing its tables for too long',
  '57P03': 'it is starting up or shutting down',
  '25006': 'it is read-only',
}

/** Drops the error and its cause: both may contain the address. */
function unreachable(error: unknown): SetupError {
  const code = codeOf(error)
  const why =
    (code && REASONS[code]) ??
    (code === undefined ? 'it did not answer, or is not a PostgreSQL server' : `error ${code}`)
  return new SetupError(
    'database_unusable',
    `The database of DATABASE_URL cannot be used: ${why}.`,
    'Nothing was changed. Check that PostgreSQL runs and DATABASE_URL is correct, or unset it to use the data folder.',
  )
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[A-Z0-9_]{2,40}$/.test(error.code) ? error.code : undefined
}
