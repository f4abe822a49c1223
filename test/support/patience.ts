import { vi } from 'vitest'

/** Vitest gives up after one second, which a busy machine exceeds. A condition that never comes true still fails. */
const WAIT_MS = 20_000

const waitFor = vi.waitFor
vi.waitFor = async (check, options = {}) => {
  const given = typeof options === 'number' ? { timeout: options } : options
  const limits = { timeout: WAIT_MS, ...given }
  try {
    return await waitFor(check, limits)
  } catch (error) {
    if (error instanceof Error) error.message += `\nWaited ${limits.timeout} ms for: ${sourceOf(check)}`
    throw error
  }
}

/** The condition as it stands in the test; Vitest has rewritten what it imports. */
function sourceOf(check: () => unknown): string {
  return String(check).replaceAll(/\(0,\s*__vi_import_\d+__\.(\w+)\)/g, '$1')
}
