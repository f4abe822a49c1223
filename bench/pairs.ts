import { LoadClient } from './client.ts'
import { type RowName, rows } from './rows.ts'
import { type Figures, type Loaded, type Patience, type Sample, type Timing, takeSample } from './sample.ts'
import type { Target } from './targets.ts'

/** A row of the benchmark, and a number of concurrent calls. */
export interface Cell {
  readonly row: RowName
  readonly concurrency: number
}

/** The two targets, measured one right after the other. */
export interface Pair {
  readonly base: Figures
  readonly other: Figures
  readonly retakes: number
  readonly disturbed: boolean
}

/** V8 compiles what is busy for seconds, in which the side with more code would pay more. */
const PRIME_MS = 6_000

/** Runs each cell's code in a fresh target, so that the first samples do not measure its compilation. */
export async function prime(target: Target, cells: readonly Cell[]): Promise<void> {
  for (const cell of cells.filter(({ concurrency }) => concurrency > 1)) {
    const { client } = await load(target, cell)
    await client.run(PRIME_MS)
    client.close()
  }
}

/** Measures two targets in turn, `pairs` times, and which one is first alternates. */
export async function measurePairs(
  base: Target,
  other: Target,
  cell: Cell,
  pairs: number,
  { warmUpMs, sampleMs }: Timing,
  patience: Patience,
): Promise<readonly Pair[]> {
  const timing = { warmUpMs, sampleMs: sampleMs * (rows[cell.row].sampleFactor ?? 1) }
  const targets = [base, other]
  const loadedBase = await load(base, cell)
  const loadedOther = await load(other, cell)
  const measured: Pair[] = []
  for (let index = 0; index < pairs; index++) {
    if (index % 2 === 0) {
      const first = await takeSample(loadedBase, targets, timing, patience)
      measured.push(pair(first, await takeSample(loadedOther, targets, timing, patience)))
    } else {
      const first = await takeSample(loadedOther, targets, timing, patience)
      measured.push(pair(await takeSample(loadedBase, targets, timing, patience), first))
    }
  }
  loadedBase.client.close()
  loadedOther.client.close()
  return measured
}

async function load(target: Target, { row, concurrency }: Cell): Promise<Loaded> {
  return { target, client: await LoadClient.open(target.address, concurrency, rows[row]) }
}

function pair(base: Sample, other: Sample): Pair {
  return {
    base: base.figures,
    other: other.figures,
    retakes: base.retakes + other.retakes,
    disturbed: base.disturbed || other.disturbed,
  }
}
