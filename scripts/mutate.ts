import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MUTATION_AREAS } from './mutation-areas.ts'
import { type FoundMutant, merged, placesOf, readReport, score } from './mutation-report.ts'

const USAGE = `Usage: npm run mutate -- [AREA]... [-- STRYKER ARGUMENT...]
Areas: ${Object.keys(MUTATION_AREAS).join(', ')}. Without one, all of them in turn.`
const REPORTS = 'node_modules/.cache/mutation'

/** Mutates each area. @returns the exit code: 1 where an area stays below its score */
function mutate(args: readonly string[]): number {
  const dashes = args.indexOf('--')
  const named = dashes === -1 ? args : args.slice(0, dashes)
  const strykerArgs = dashes === -1 ? [] : args.slice(dashes + 1)
  const unknown = named.find((name) => !Object.hasOwn(MUTATION_AREAS, name))
  if (unknown !== undefined) {
    console.error(`There is no area ${JSON.stringify(unknown)}.\n${USAGE}`)
    return 1
  }
  const areas = named.length === 0 ? Object.keys(MUTATION_AREAS) : named
  const isGood = areas.map((area) => mutateArea(area, strykerArgs))
  return isGood.every(Boolean) ? 0 : 1
}

/**
 * Runs Stryker until the first failing test of each mutant, which is fast; then once more, with all tests, what survived.
 * A test that fails also stops Vitest, which then loses the failure now and then.
 */
function mutateArea(area: string, strykerArgs: readonly string[]): boolean {
  const first = runStryker(area, 'first', strykerArgs)
  const survivors = first?.filter(({ status }) => status === 'Survived') ?? []
  const second = survivors.length === 0 ? [] : runStryker(area, 'all', ['--mutate', placesOf(survivors)])
  if (first === undefined || second === undefined) return false
  const { text, percent } = score(area, merged(first, second))
  console.log(text)
  return percent >= (MUTATION_AREAS[area]?.atLeast ?? 100)
}

/** @returns what became of each mutant; `undefined` if Stryker failed */
function runStryker(
  area: string,
  failures: 'first' | 'all',
  args: readonly string[],
): readonly FoundMutant[] | undefined {
  console.error(`Mutation tests of ${area}, ${failures === 'first' ? 'first run' : 'the survivors again'}:`)
  mkdirSync(REPORTS, { recursive: true })
  const report = join(REPORTS, `${area}.json`)
  rmSync(report, { force: true })
  const stryker = 'node_modules/@stryker-mutator/core/bin/stryker.js'
  const { status } = spawnSync(process.execPath, [stryker, 'run', 'scripts/stryker.config.mjs', ...args], {
    stdio: 'inherit',
    env: {
      ...process.env,
      BRIDGEKEEPER_MUTATE: area,
      BRIDGEKEEPER_MUTATE_FAILURES: failures,
      BRIDGEKEEPER_MUTATE_REPORT: report,
    },
  })
  return status === 0 ? readReport(report) : undefined
}

process.exitCode = mutate(process.argv.slice(2))
