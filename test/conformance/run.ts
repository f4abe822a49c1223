/**
 * Runs the public conformance suite on the fixture, beside it and through bridge and agent, and checks that
 * docs/conformance.md shows the scores; rewrites its table with `--fix`.
 *
 * Usage: npm run conformance [-- --fix]
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkTable } from '../../scripts/generated-table.ts'
import { type Measured, measure, RUNS } from './runs.ts'
import { headerOf, rowsOf } from './table.ts'

const { values } = parseArgs({ options: { fix: { type: 'boolean' } } })
const measured: Measured[] = []
for (const run of RUNS) measured.push(await measure(run))
checkTable(
  {
    check: 'conformance',
    command: 'npm run conformance --',
    path: join(import.meta.dirname, '../../docs/conformance.md'),
    document: 'docs/conformance.md',
    header: headerOf(measured),
    rows: rowsOf(measured),
  },
  values.fix ?? false,
)
