import { open, rm, stat } from 'node:fs/promises'
import { pause, type System } from '../system.ts'
import { hasCode, unusable } from './private-file.ts'

const TRY_MS = 20
/** No change takes this long: whoever holds the lock was killed. */
const STALE_MS = 10_000
const WAIT_MS = 30_000

/**
 * Runs alone among all processes that use this lock.
 * @throws AgentError `keychain_unusable` when the lock cannot be had
 */
export async function alone<T>(system: System, path: string, run: () => Promise<T>): Promise<T> {
  const untilMs = system.monotonicMs() + WAIT_MS
  const never = new AbortController().signal
  while (!(await take(path))) {
    if (system.monotonicMs() >= untilMs) throw unusable(path, 'Another process holds this lock.')
    await removeStale(system, path)
    await pause(system, TRY_MS, never)
  }
  try {
    return await run()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw unusable(path, error instanceof Error ? error.message : String(error), error)
  }
}

async function removeStale(system: System, path: string): Promise<void> {
  const lock = await stat(path).catch(() => undefined)
  // A lock from the future is from before the clock was set back.
  if (lock !== undefined && Math.abs(system.nowMs() - lock.mtimeMs) > STALE_MS)
    await rm(path, { force: true })
}
