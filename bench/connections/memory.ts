import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { alignedTable, median } from '../stats.ts'
import { Child } from './child.ts'
import type { Memory } from './usage.ts'

const CONNECTIONS = 5_000
/** These are open before: what they find free, of the process's own start, the others no longer find. */
const EARLIER = 2_000
const AT_ONCE = 32
const IDLE_MS = 6_000
const STARTS = 5
const SECRET_BYTES = 32
const GOAL = 1.5
/**
 * Both servers hold still what is no connection's: the nursery of V8, which grows with how much a process does at once
 * and has its full size here from the start, and the code of functions that have not run for a while, which is dropped.
 */
const HELD_STILL = ['--min-semi-space-size=16', '--max-semi-space-size=16', '--no-flush-bytecode']

/** Memory of an idle connection, the bridge's verified, beside a bare server's. Without TLS, which costs both the same. */
export async function memory(): Promise<string> {
  const used: [number, number][] = []
  const rss: [number, number][] = []
  for (let start = 0; start < STARTS; start++) {
    const bare = await perConnection('./bare.ts')
    const bridge = await perConnection('./bridge.ts')
    used.push([bare.usedBytes, bridge.usedBytes])
    rss.push([bare.rssBytes, bridge.rssBytes])
    console.error(`memory: start ${start + 1} of ${STARTS}`)
  }
  const row = (title: string, pairs: readonly [number, number][], goal?: number): string[] => {
    const ratio = median(pairs.map(([bare, bridge]) => bridge / bare))
    return [
      title,
      (median(pairs.map(([bare]) => bare)) / 1_024).toFixed(2),
      (median(pairs.map(([, bridge]) => bridge)) / 1_024).toFixed(2),
      ratio.toFixed(2),
      goal === undefined ? '' : `≤ ${goal.toFixed(2)}`,
      goal === undefined ? '' : ratio <= goal ? 'must met' : 'MISSED',
    ]
  }
  return alignedTable(
    [
      [`${CONNECTIONS} idle connections, after ${EARLIER}`, 'bare ws', 'bridge', 'ratio', 'must', ''],
      row('resident, KiB each', rss, GOAL),
      row('on the heap of V8 and what it keeps', used),
    ],
    1,
  )
}

/** Memory that each connection adds to a server that has served before. */
async function perConnection(file: './bare.ts' | './bridge.ts'): Promise<Memory> {
  const env = { BENCH_SECRET: randomBytes(SECRET_BYTES).toString('hex') }
  const server = await Child.start(file, env, HELD_STILL)
  const crowd = await Child.start('./crowd.ts')
  const isBare = file === './bare.ts'
  // Logins are made elsewhere: what that leaves free in a process would be taken by its connections unseen.
  const issuer = isBare ? undefined : await Child.start('./bridge.ts', env)
  try {
    const port = await (server as Child<'./bare.ts'>).ask('port', undefined)
    const url = `ws://127.0.0.1:${port}${isBare ? '/' : '/api/mcp-ws'}`
    const open = async (count: number): Promise<unknown> => {
      const logins = (await issuer?.ask('logins', { count, proving: false })) ?? count
      return crowd.ask('open', { url, logins, atOnce: AT_ONCE })
    }
    await open(EARLIER)
    const before = await measured(server)
    await open(CONNECTIONS)
    const after = await measured(server)
    return {
      usedBytes: (after.usedBytes - before.usedBytes) / CONNECTIONS,
      rssBytes: (after.rssBytes - before.rssBytes) / CONNECTIONS,
    }
  } finally {
    await Promise.all([crowd.stop(), server.stop(), issuer?.stop()])
  }
}

async function measured(server: Child<'./bare.ts'> | Child<'./bridge.ts'>): Promise<Memory> {
  // Idle: what is remembered of a handshake for seconds is gone.
  await sleep(IDLE_MS)
  return (server as Child<'./bare.ts'>).ask('memory', undefined)
}
