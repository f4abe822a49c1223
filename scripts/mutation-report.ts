import { readFileSync } from 'node:fs'

interface Place {
  readonly line: number
  readonly column: number
}

interface Mutant {
  readonly mutatorName: string
  readonly replacement: string
  readonly status: string
  readonly location: { readonly start: Place; readonly end: Place }
}

/** A mutant with its file. */
export interface FoundMutant extends Mutant {
  readonly file: string
}

/** Reads the mutants of Stryker's JSON report. */
export function readReport(path: string): readonly FoundMutant[] {
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly files: Readonly<Record<string, { readonly mutants: readonly Mutant[] }>>
  }
  return Object.entries(files).flatMap(([file, { mutants }]) => mutants.map((each) => ({ ...each, file })))
}

/** The argument of `--mutate` for these mutants. Others at the same places come with them. */
export function placesOf(mutants: readonly FoundMutant[]): string {
  const places = mutants.map(({ file, location: { start, end } }) => {
    // The argument counts columns from 0, the report from 1.
    return `${file}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`
  })
  return [...new Set(places)].join(',')
}

/** The first run with the outcomes of the second one for what survived it. */
export function merged(
  first: readonly FoundMutant[],
  second: readonly FoundMutant[],
): readonly FoundMutant[] {
  const again = new Map(second.map((mutant) => [keyOf(mutant), mutant]))
  return first.map((mutant) => (mutant.status === 'Survived' ? (again.get(keyOf(mutant)) ?? mutant) : mutant))
}

/** Describes how many were killed, then each survivor. @returns the share of killed ones, in percent */
export function score(
  area: string,
  mutants: readonly FoundMutant[],
): { readonly text: string; readonly percent: number } {
  const count = (...statuses: string[]) => mutants.filter(({ status }) => statuses.includes(status)).length
  const [killed, timeouts, alive] = [count('Killed'), count('Timeout'), count('Survived', 'NoCoverage')]
  const total = killed + timeouts + alive
  const percent = total === 0 ? 100 : (100 * (killed + timeouts)) / total
  const survivors = mutants
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map(({ file, location, mutatorName, replacement, status }) => {
      const change = replacement.replace(/\s+/g, ' ')
      return `  ${file}:${location.start.line}  ${status}  ${mutatorName}: ${change}`
    })
  const head = `${area}: ${total} mutants, ${killed} killed, ${timeouts} timed out: ${percent.toFixed(1)} %`
  return { text: [head, ...survivors].join('\n'), percent }
}

function keyOf({ file, location, mutatorName, replacement }: FoundMutant): string {
  return JSON.stringify([file, location.start, location.end, mutatorName, replacement])
}
