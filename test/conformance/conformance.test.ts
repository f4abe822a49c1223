import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/program.ts'
import { type Measured, measure, passing, RUNS, scored } from './runs.ts'
import { headerOf, rowsOf } from './table.ts'

const measured = new Map<string, Measured>()
/** All runs take about a minute on two idle cores. */
const ALL_RUNS_MS = 300_000

beforeAll(async () => {
  // One after the other: some scenarios wait for half a second only.
  for (const run of RUNS) measured.set(run.name, await measure(run))
}, ALL_RUNS_MS)

describe.each(RUNS.filter(({ isTranslated = false }) => !isTranslated))(
  '$name',
  ({ name, scored: count }) => {
    test('[HOUSE.17] the fixture passes every scenario directly, without a warning', () => {
      const { direct } = runOf(name)
      expect(scored(direct)).toHaveLength(count)
      expect(direct.filter(({ outcome }) => outcome !== 'passes')).toEqual([])
    })
  },
)

describe.each(RUNS)('$name', ({ name, scored: count, through: floor }) => {
  test('[HOUSE.17] as many scored scenarios as before pass through bridge and agent', () => {
    expect(scored(runOf(name).through)).toHaveLength(count)
    expect(passing(runOf(name).through).length).toBeGreaterThanOrEqual(floor)
  })

  test('[HOUSE.17] docs/conformance.md shows the scores of each scenario', () => {
    const run = runOf(name)
    const shown = columnsOf(readFileSync(join(repository, 'docs/conformance.md'), 'utf8'), headerOf([run]))
    expect(new Set(shown.filter(([, cell]) => cell !== '–'))).toEqual(new Set(rowsOf([run])))
  })
})

function runOf(name: string): Measured {
  const run = measured.get(name)
  if (run === undefined) throw new Error(`The suite did not run for ${name}.`)
  return run
}

/** These columns of the page's generated table, without its header. */
function columnsOf(page: string, names: readonly string[]): string[][] {
  const [, made = ''] = page.split('<!--')
  const [header = [], , ...rows] = made
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '))
  const indexes = names.map((name) => header.indexOf(name))
  return rows.map((row) => indexes.map((index) => row[index] ?? ''))
}
