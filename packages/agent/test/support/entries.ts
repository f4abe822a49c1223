import { expect } from 'vitest'
import { parseConfig, type ServerEntry } from '../../src/index.ts'

export const ENV = { TOKEN: 's3cr3t-value', HOME: '/home/ann', PATH: '/bin' }
export const GOOD = '"good":{"command":"x"}'

/** The entry `a` of a file that also has a valid one. */
export function beside(entry: unknown, folder = '/home/ann/project'): ServerEntry | undefined {
  const text = typeof entry === 'string' ? entry : JSON.stringify(entry)
  const entries = parseConfig(`{"mcpServers":{"a":${text},${GOOD}}}`, ENV, folder, 'linux')
  expect(entries.find(({ name }) => name === 'good')).toMatchObject({ kind: 'stdio', command: 'x' })
  return entries.find(({ name }) => name === 'a')
}
