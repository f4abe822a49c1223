import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { hasCode } from '@bridgekeeper/protocol'
import { pause, type System } from '../system.ts'
import { unusable } from './private-file.ts'

const TRY_MS = 20
const WAIT_MS = 30_000
const SQLITE_BUSY = 5

/**
 * Runs exclusively among all processes that use this lock. The system releases the lock when its process
 * ends, so a lock is never stale. The file stays: removing it would let two processes hold two locks.
 * @throws AgentError `keychain_unusable` if the lock stays busy
 */
export async function withLock<T>(system: System, path: string, run: () => Promise<T>): Promise<T> {
  const lock = await waitFor(system, path)
  try {
    return await run()
  } finally {
    lock.close()
  }
}

async function waitFor(system: System, path: string): Promise<DatabaseSync> {
  const untilMs = system.monotonicMs() + WAIT_MS
  const never = new AbortController().signal
  for (;;) {
    const lock = takeLock(path)
    if (lock !== undefined) return lock
    if (system.monotonicMs() >= untilMs) throw unusable(path, 'Another process holds this lock.')
    await pause(system, TRY_MS, never)
  }
}

/**
 * @returns the lock, which closing releases; `undefined` if another process or call holds it
 * @throws AgentError `keychain_unusable`
 */
export function takeLock(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined
  try {
    createPrivate(path)
    database = new DatabaseSync(path)
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database?.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined
    throw unusable(path, error instanceof Error ? error.message : String(error), error)
  }
}

/** A file that exists is not opened: closing it would release the lock that this process may hold (POSIX fcntl). */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}
