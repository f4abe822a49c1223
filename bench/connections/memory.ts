import { alignedTable, median } from '../stats.ts'
import { Child } from './child.ts'
import type { Memory } from './usage.ts'

const CONNECTIONS = 5_000
const WARM_UP = 300
const AT_ONCE = 32
const STARTS = 5
const GOAL = 1.25

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
      [`${CONNECTIONS} idle connections`, 'bare ws', 'bridge', 'ratio', 'must', ''],
      row('resident, KiB each', rss, GOAL),
      row('of that on the heap of V8 and what it keeps', used),
    ],
    1,
  )
}

/** What each connection adds to a server that has served before. */
async function perConnection(file: './bare.ts' | './bridge.ts'): Promise<Memory> {
  const server = await Child.start(file)
  const crowd = await Child.start('./crowd.ts')
  try {
    const port = await (server as Child<'./bare.ts'>).ask('port', undefined)
    const url = `ws://127.0.0.1:${port}${file === './bridge.ts' ? '/api/mcp-ws' : '/'}`
    const logins = async (count: number) =>
      file === './bridge.ts'
        ? (server as Child<'./bridge.ts'>).ask('logins', { count, proving: false })
        : count
    await crowd.ask('open', { url, logins: await logins(WARM_UP), atOnce: AT_ONCE })
    await crowd.ask('close', undefined)
    const newcomers = await logins(CONNECTIONS)
    const before = await measured(server)
    await crowd.ask('open', { url, logins: newcomers, atOnce: AT_ONCE })
    const after = await measured(server)
    return {
      usedBytes: (after.usedBytes - before.usedBytes) / CONNECTIONS,
      rssBytes: (after.rssBytes - before.rssBytes) / CONNECTIONS,
    }
  } finally {
    await Promise.all([crowd.stop(), server.stop()])
  }
}

async function measured(server: Child<'./bare.ts'> | Child<'./bridge.ts'>): Promise<Memory> {
  return (server as Child<'./bare.ts'>).ask('memory', undefined)
}
