/**
 * Checks that each edit of an ablation still fits its source and that its tests exist. Takes a second, so
 * that a refactoring need not run `npm run ablate` to know.
 *
 * Usage: node scripts/check-ablations.ts
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ABLATIONS } from './ablate/gates.ts'
import { applied } from './ablate/plugin.ts'

const root = join(import.meta.dirname, '..')
let failed = 0

for (const { gate, edits, tests } of ABLATIONS) {
  for (const edit of edits) {
    try {
      applied(readFileSync(join(root, edit.file), 'utf8'), edit)
    } catch (error) {
      fail(gate, error instanceof Error ? error.message : String(error))
    }
  }
  for (const test of tests) if (!existsSync(join(root, test))) fail(gate, `its test ${test} does not exist`)
}
if (failed === 0) console.log(`ablations: ${ABLATIONS.length}, all fit their sources`)
process.exitCode = failed === 0 ? 0 : 1

function fail(gate: string, reason: string): void {
  failed++
  console.log(`scripts/ablate  ${gate}  ${reason}`)
}
