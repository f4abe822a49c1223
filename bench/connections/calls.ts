import { randomBytes } from 'node:crypto'
import { judge } from '../goals.ts'
import { type Cell, measurePairs, type Pair, prime } from '../pairs.ts'
import type { FigureName, Patience } from '../sample.ts'
import { alignedTable, median, medianInterval, reachFromOne } from '../stats.ts'
import { Target } from '../targets.ts'
import { Child } from './child.ts'

const AGENTS = 10_000
/** Agents among them with an MCP session, whose stream is open. */
const SESSIONS = 1_000
const AT_ONCE = 32
const STARTS = 3
const PAIRS = 8
const CELL: Cell = { row: '200B', concurrency: 32 }
const TIMING = { warmUpMs: 80, sampleMs: 250 }
const RETAKES = 60
const SECRET_BYTES = 32
const GOAL = { better: 'higher', must: 0.8, aim: 0.95 } as const

/** Calls through a bridge with many idle agents and MCP sessions, beside calls through a bridge without them. */
export async function calls(): Promise<string> {
  const equal: Pair[] = []
  const compared: Pair[] = []
  const patience: Patience = { retakesLeft: RETAKES }
  for (let start = 0; start < STARTS; start++) {
    const env = { BENCH_SECRET: randomBytes(SECRET_BYTES).toString('hex') }
    const alive: { stop(): Promise<void> }[] = []
    const add = <T extends { stop(): Promise<void> }>(started: T): T => {
      alive.push(started)
      return started
    }
    try {
      const quiet = add(await Target.start('bridge'))
      const crowded = add(await Target.start('bridge', env))
      const pairs = () => measurePairs(quiet, crowded, CELL, PAIRS, TIMING, patience)
      for (const target of [quiet, crowded]) await prime(target, [CELL])
      equal.push(...(await pairs()))
      const issuer = add(await Child.start('./bridge.ts', env))
      const crowd = add(await Child.start('./crowd.ts'))
      const url = `ws://127.0.0.1:${crowded.address.port}/api/mcp-ws`
      const logins = await issuer.ask('logins', { count: AGENTS, proving: false })
      await crowd.ask('open', { url, logins, atOnce: AT_ONCE, sessions: SESSIONS })
      compared.push(...(await pairs()))
      const { agents, sessions } = await crowd.ask('idle', undefined)
      if (agents < AGENTS || sessions < SESSIONS) throw new Error(`${agents} agents, ${sessions} sessions`)
    } finally {
      await Promise.all(alive.map((each) => each.stop()))
    }
    console.error(`calls: start ${start + 1} of ${STARTS}`)
  }
  const title = `200 B, 32 at once, beside ${AGENTS} agents and ${SESSIONS} sessions`
  return alignedTable(
    [
      [title, 'none', 'idle', 'ratio', '95 %', 'A/A', 'must', ''],
      rowOf('calls per second', 'callsPerSecond', compared, equal, GOAL),
      rowOf('CPU per call, µs', 'cpuMicros', compared, equal),
      rowOf('p99, ms', 'p99Ms', compared, equal),
    ],
    1,
  )
}

function rowOf(
  title: string,
  figure: FigureName,
  compared: readonly Pair[],
  equal: readonly Pair[],
  goal?: typeof GOAL,
): string[] {
  const ratios = (pairs: readonly Pair[]) => pairs.map(({ base, other }) => other[figure] / base[figure])
  const { low, high } = medianInterval(ratios(compared))
  const ratio = median(ratios(compared))
  const digits = figure === 'callsPerSecond' ? 0 : 2
  return [
    title,
    median(compared.map(({ base }) => base[figure])).toFixed(digits),
    median(compared.map(({ other }) => other[figure])).toFixed(digits),
    ratio.toFixed(2),
    `${low.toFixed(2)}–${high.toFixed(2)}`,
    `±${reachFromOne(medianInterval(ratios(equal))).toFixed(2)}`,
    goal === undefined ? '' : `≥ ${goal.must.toFixed(2)}`,
    goal === undefined ? '' : judge(ratio, goal),
  ]
}
