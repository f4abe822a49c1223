import { type Goal, goalOf, judge, type Verdict } from './goals.ts'
import type { Cell, Pair } from './pairs.ts'
import { type FigureName, figureNames } from './sample.ts'
import { alignedTable, type Interval, median, medianInterval, reachFromOne } from './stats.ts'

/** The pairs of one cell, each list per start of the processes. */
export interface Measured {
  readonly cell: Cell
  /** Two relays: what the method itself gets wrong. */
  readonly equal: readonly (readonly Pair[])[]
  /** The relay and the bridge. */
  readonly compared: readonly (readonly Pair[])[]
}

/** A figure of a cell, ready to print. */
export interface Line extends Cell {
  readonly figure: FigureName
  readonly relay: number
  readonly bridge: number
  readonly ratio: number
  readonly interval: Interval
  /** The ratio of each start alone. */
  readonly perStart: readonly number[]
  /** Difference between two equal relays in this run; a smaller difference means nothing. */
  readonly error: number
  readonly goal: Goal | undefined
  readonly verdict: Verdict | undefined
}

const figureTexts: Readonly<Record<FigureName, readonly [title: string, digits: number]>> = {
  cpuMicros: ['CPU per call, µs', 1],
  callsPerSecond: ['calls per second', 0],
  p50Ms: ['p50, ms', 3],
  p99Ms: ['p99, ms', 3],
}

/** Makes a line for each figure of each cell. */
export function linesOf(measured: readonly Measured[]): readonly Line[] {
  return measured.flatMap((each) => figureNames.map((figure) => lineOf(each, figure)))
}

function lineOf({ cell, equal, compared }: Measured, figure: FigureName): Line {
  const pairs = compared.flat()
  const ratio = median(ratios(pairs, figure))
  const goal = goalOf(figure, cell)
  return {
    ...cell,
    figure,
    relay: median(pairs.map(({ base }) => base[figure])),
    bridge: median(pairs.map(({ other }) => other[figure])),
    ratio,
    interval: medianInterval(ratios(pairs, figure)),
    perStart: compared.map((start) => median(ratios(start, figure))),
    error: reachFromOne(medianInterval(ratios(equal.flat(), figure))),
    goal,
    verdict: goal && judge(ratio, goal),
  }
}

function ratios(pairs: readonly Pair[], figure: FigureName): readonly number[] {
  return pairs.map(({ base, other }) => other[figure] / base[figure])
}

/** How quiet the machine was. */
export interface Summary {
  readonly pairs: number
  readonly retakes: number
  /** Pairs in which something else used the machine all the same. */
  readonly disturbed: number
  readonly text: string
}

/** Beyond this part of disturbed pairs, the run says little. */
const DISTURBED_LIMIT = 0.2

/** Says how far to trust the run. */
export function summaryOf(measured: readonly Measured[]): Summary {
  const all = measured.flatMap(({ equal, compared }) => [...equal, ...compared].flat())
  const pairs = all.length
  const retakes = all.reduce((sum, pair) => sum + pair.retakes, 0)
  const disturbed = all.filter((pair) => pair.disturbed).length
  const counts = `${pairs} pairs, ${retakes} samples taken again, ${disturbed} pairs disturbed all the same.`
  const busy = disturbed > pairs * DISTURBED_LIMIT
  const text = busy ? `${counts}\nThe machine was too busy: run it again before believing this.` : counts
  return { pairs, retakes, disturbed, text }
}

/** The lines as one table. */
export function tableOf(lines: readonly Line[]): string {
  const header = ['row', 'at once', 'figure', 'relay', 'bridge', 'ratio', '95 %', 'A/A', 'must', 'aim', '']
  return alignedTable([header, ...lines.map(cells)], 3)
}

function cells(line: Line): readonly string[] {
  const [title, digits] = figureTexts[line.figure]
  const sign = line.goal?.better === 'higher' ? '≥' : '≤'
  return [
    line.row,
    String(line.concurrency),
    title,
    line.relay.toFixed(digits),
    line.bridge.toFixed(digits),
    line.ratio.toFixed(2),
    `${line.interval.low.toFixed(2)}–${line.interval.high.toFixed(2)}`,
    `±${line.error.toFixed(2)}`,
    line.goal === undefined ? '' : `${sign} ${line.goal.must.toFixed(2)}`,
    line.goal === undefined ? '' : `${sign} ${line.goal.aim.toFixed(2)}`,
    line.verdict ?? '',
  ]
}
