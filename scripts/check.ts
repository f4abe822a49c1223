/**
 * Runs every check that is not a test. Continues after a failure, so that one run reports all of them.
 *
 * Usage: npm run check [-- types|style|words|imports|unused|rules|ablations|events|json|limits|settings …]
 * [--fix]
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true })

const CHECKS: Record<string, string[]> = {
  types: ['node_modules/typescript/bin/tsc', '--project', '.'],
  style: [
    'node_modules/@biomejs/biome/bin/biome',
    'check',
    '--error-on-warnings',
    ...(values.fix ? ['--write'] : []),
  ],
  words: ['scripts/check-words.ts'],
  imports: ['scripts/check-imports.ts'],
  unused: ['node_modules/knip/bin/knip.js', '--no-progress', '--treat-config-hints-as-errors'],
  rules: ['scripts/check-rules.ts'],
  ablations: ['scripts/check-ablations.ts'],
  events: ['scripts/check-events.ts', ...(values.fix ? ['--fix'] : [])],
  json: ['scripts/check-json.ts', ...(values.fix ? ['--fix'] : [])],
  limits: ['scripts/check-limits.ts', ...(values.fix ? ['--fix'] : [])],
  settings: ['scripts/check-settings.ts', ...(values.fix ? ['--fix'] : [])],
}

const wanted = positionals.length > 0 ? positionals : Object.keys(CHECKS)
const failed = wanted.filter((name) => !passes(name))
console.log(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

function passes(name: string): boolean {
  const command = CHECKS[name]
  if (command === undefined) {
    console.error(`There is no check named ${name}; there are: ${Object.keys(CHECKS).join(', ')}`)
    return false
  }
  console.log(`── ${name}`)
  return spawnSync(process.execPath, command, { stdio: 'inherit' }).status === 0
}
