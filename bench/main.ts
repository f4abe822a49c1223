/**
 * `npm run bench -- [--quick] [--rows 200B,64KB,900KB,10MiB,prompt,progress] [--json]`: what a call through the
 * bridge costs, beside a bare relay that checks nothing. How to read it, and the record: RESULTS.md.
 */
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.ts'
import { type Cell, measurePairs, type Pair, prime } from './pairs.ts'
import { linesOf, type Measured, summaryOf, tableOf } from './report.ts'
import { type RowName, rowNames, rows } from './rows.ts'
import type { Patience, Timing } from './sample.ts'
import { Target, type TargetKind } from './targets.ts'

interface Plan {
  readonly cells: readonly Cell[]
  /** Number of fresh starts of the processes: one may differ from others for its whole life. */
  readonly starts: number
  readonly pairsPerStart: number
  readonly timing: Timing
  /** Samples that may be taken again in all. */
  readonly retakes: number
}

const FULL = { starts: 3, pairsPerStart: 8, timing: { warmUpMs: 80, sampleMs: 250 }, retakes: 150 } as const
const QUICK = { starts: 1, pairsPerStart: 7, timing: { warmUpMs: 50, sampleMs: 200 }, retakes: 25 } as const

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rows: { type: 'string', default: rowNames.join(',') },
  },
})

const plan: Plan = { cells: cellsOf(options.rows), ...(options.quick ? QUICK : FULL) }
const measured = await measure(plan)
const lines = linesOf(measured)
const summary = summaryOf(measured)
if (options.json) console.log(JSON.stringify({ machine: describeMachine(), plan, summary, lines }, null, 2))
else console.log(`${describeMachine()}\n\n${tableOf(lines)}\n\n${summary.text}`)

function cellsOf(wanted: string): readonly Cell[] {
  const names = wanted.split(',')
  const unknown = names.find((name) => !rowNames.some((known) => known === name))
  if (unknown !== undefined) throw new Error(`--rows knows ${rowNames.join(', ')}, not "${unknown}"`)
  return (names as RowName[]).flatMap((row) =>
    rows[row].concurrencies.map((concurrency) => ({ row, concurrency })),
  )
}

async function measure({
  cells,
  starts,
  pairsPerStart,
  timing,
  retakes,
}: Plan): Promise<readonly Measured[]> {
  const results = cells.map((cell) => ({ cell, equal: [] as Pair[][], compared: [] as Pair[][] }))
  const patience: Patience = { retakesLeft: retakes }
  const alive: Target[] = []
  const start = async (kind: TargetKind): Promise<Target> => {
    const target = await Target.start(kind)
    alive.push(target)
    await prime(target, cells)
    return target
  }
  try {
    for (let round = 1; round <= starts; round++) {
      const relay = await start('relay')
      const twin = await start('relay')
      for (const { cell, equal } of results) {
        progress(round, cell, 'relay, relay')
        equal.push([...(await measurePairs(relay, twin, cell, pairsPerStart, timing, patience))])
      }
      await twin.stop()
      const bridge = await start('bridge')
      for (const { cell, compared } of results) {
        progress(round, cell, 'relay, bridge')
        compared.push([...(await measurePairs(relay, bridge, cell, pairsPerStart, timing, patience))])
      }
      await relay.stop()
      await bridge.stop()
    }
  } finally {
    await Promise.all(alive.map((target) => target.stop()))
  }
  return results
}

function progress(round: number, { row, concurrency }: Cell, what: string): void {
  console.error(`start ${round}: ${what}, ${row}, ${concurrency} at once`)
}
