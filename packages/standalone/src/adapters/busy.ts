const SQLITE_BUSY = 5

/** Whether SQLite says that somebody else has the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}
