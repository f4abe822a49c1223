const SQLITE_BUSY = 5

/** Whether SQLite reports that another process holds the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}
