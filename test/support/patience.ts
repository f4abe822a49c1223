import { vi } from 'vitest'

/** Vitest gives up after one second, which a busy machine exceeds. A condition that never comes true still fails. */
const WAIT_MS = 20_000

const waitFor = vi.waitFor
vi.waitFor = (check, options = {}) =>
  waitFor(check, typeof options === 'number' ? options : { timeout: WAIT_MS, ...options })
