import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { checkTable } from '../../scripts/generated-table.ts'
import { CLIENT_PACKAGES } from './clients/packages.ts'
import { install } from './install.ts'
import { ENDPOINTS, FEATURES, type Outcomes } from './outcomes.ts'

const ROOT = join(import.meta.dirname, '../..')
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')
const MARKS = { works: '✓', partly: '(✓)', absent: '–', fails: '✗' } as const

/** Outcomes by endpoint of one client. */
type ByEndpoint = Readonly<Record<string, Outcomes>>

/** Runs the tests of all clients and checks the table of their outcomes. */
export function checkClients(fix: boolean): void {
  const folder = install('clients', CLIENT_PACKAGES)
  const file = join(folder, 'outcomes.json')
  rmSync(file, { force: true })
  spawnSync(process.execPath, [VITEST, 'run', 'test/interop/clients.test.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    // The last one is for mcp-use.
    env: { ...process.env, BRIDGEKEEPER_INTEROP: folder, MCP_USE_ANONYMIZED_TELEMETRY: 'false' },
  })
  const outcomes: Readonly<Record<string, ByEndpoint>> = JSON.parse(readFileSync(file, 'utf8'))
  printDetails(outcomes)
  const rows = Object.entries(outcomes).map(([name, byEndpoint]) => [
    name,
    ...FEATURES.map((feature) => cellOf(byEndpoint, feature)),
  ])
  checkTable(
    {
      check: 'interop-clients',
      command: 'npm run interop -- clients',
      path: join(ROOT, 'docs/interop-clients.md'),
      document: 'docs/interop-clients.md',
      header: ['client', ...FEATURES],
      rows,
    },
    fix,
  )
}

function printDetails(outcomes: Readonly<Record<string, ByEndpoint>>): void {
  for (const [name, byEndpoint] of Object.entries(outcomes)) {
    for (const [path, of] of Object.entries(byEndpoint)) {
      const details = FEATURES.map((feature) => `${feature} ${MARKS[of[feature].mark]} ${of[feature].detail}`)
      console.log(`${name} at ${path}: ${details.join('; ')}`)
    }
  }
}

/** One mark if the feature does the same at all endpoints, else the endpoints where it fails. */
function cellOf(byEndpoint: ByEndpoint, feature: keyof Outcomes): string {
  const markAt = (path: string) => byEndpoint[path]?.[feature].mark ?? 'fails'
  const marks = Object.values(byEndpoint).map((of) => of[feature].mark)
  const failing = Object.keys(ENDPOINTS).filter((path) => markAt(path) === 'fails')
  if (failing.length > 0) return `${MARKS.fails} at ${failing.map((path) => `\`${path}\``).join(', ')}`
  return MARKS[marks[0] ?? 'fails']
}
