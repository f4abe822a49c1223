import { randomFillSync } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { System } from './ports.ts'

const POOL_BYTES = 4_096

/** The real clock, timers and randomness. */
export function realSystem(): System {
  let pool = Buffer.alloc(0)
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs)
      timer.unref()
      return () => clearTimeout(timer)
    },
    // A system call fills many small requests; bytes are never returned twice.
    randomBytes(countBytes) {
      if (pool.length < countBytes) pool = randomFillSync(Buffer.alloc(Math.max(POOL_BYTES, countBytes)))
      const taken = pool.subarray(0, countBytes)
      pool = pool.subarray(countBytes)
      return taken
    },
  }
}
