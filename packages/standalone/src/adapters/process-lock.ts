import { closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { hasCode } from '@bridgekeeper/protocol'
import { isBusy } from './busy.ts'

/** How long a lock is waited for: `isLocked` of another process holds it for a moment. */
const WAIT_MS = 250

/**
 * Takes a lock that one process at a time can hold. The operating system releases it when the process ends,
 * so it is never stale.
 *
 * @returns a function that releases the lock; `undefined` if another process holds it
 * @throws if the file cannot be created or locked
 */
export function takeLock(path: string): (() => void) | undefined {
  createPrivate(path)
  const database = new DatabaseSync(path)
  try {
    database.exec(`PRAGMA busy_timeout = ${WAIT_MS}; BEGIN EXCLUSIVE`)
    return () => database.close()
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
}

/** A file that exists is not opened: closing it would give back the lock that this process may have (POSIX fcntl). */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}

/** Whether a process has the lock. Changes nothing. @throws if the file cannot be read */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    database.exec('PRAGMA busy_timeout = 0; SELECT 1 FROM sqlite_schema')
    return false
  } catch (error) {
    if (isBusy(error)) return true
    throw error
  } finally {
    database.close()
  }
}
