import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until the condition gives a value that is not false or undefined, and returns it.
 * @param what is waited for, as the error names it
 */
export async function until<T>(
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  withinMs = 10_000,
  what = String(condition),
): Promise<T> {
  const endMs = Date.now() + withinMs
  for (;;) {
    const value = await condition()
    if (value !== false && value !== undefined) return value
    if (Date.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await delay(10)
  }
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  if (!existsSync('/proc/self/stat')) {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
