import { type Measured, passing, scored } from './runs.ts'
import type { Score } from './suite.ts'

const ABSENT = '–'
const MARKS = { passes: '✓', warns: '⚠', fails: '✗' } as const satisfies Record<Score['outcome'], string>

/** The header of the table: a column for each run. */
export function headerOf(runs: readonly Measured[]): readonly string[] {
  return ['scenario', ...runs.map(({ name }) => name)]
}

/** The rows of the table: the sums, then each scenario in the order of the longest run. */
export function rowsOf(runs: readonly Measured[]): readonly (readonly string[])[] {
  const longestFirst = runs.map(({ through }) => through).sort((a, b) => b.length - a.length)
  const scenarios = new Set(longestFirst.flat().map(({ scenario }) => scenario))
  return [
    ['**scored that pass**', ...runs.map(sumOf)],
    ...[...scenarios].map((scenario) => [scenario, ...runs.map((run) => cellOf(run, scenario))]),
  ]
}

function sumOf({ direct, through }: Measured): string {
  const before = direct.length === 0 ? '' : `${passing(direct).length} / `
  return `**${before}${passing(through).length} of ${scored(through).length}**`
}

function cellOf({ direct, through }: Measured, scenario: string): string {
  const [one, other] = [direct, through].map((scores) => scores.find((score) => score.scenario === scenario))
  if (other === undefined) return ABSENT
  const cell = one === undefined ? MARKS[other.outcome] : `${MARKS[one.outcome]} / ${MARKS[other.outcome]}`
  return other.isScored ? cell : `(${cell})`
}
