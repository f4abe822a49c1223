import { alignedTable, median, medianInterval, reachFromOne } from '../stats.ts'
import { certificate } from './certificate.ts'
import { Child } from './child.ts'

/** A server with the agents that connect to it. */
interface Side {
  readonly server: Child<'./bare.ts'> | Child<'./bridge.ts'>
  readonly crowd: Child<'./crowd.ts'>
  readonly url: string
  logins(count: number): Promise<readonly import('./crowd.ts').Login[] | number>
  stop(): Promise<void>
}

interface Sample {
  readonly cpuMicros: number
  readonly perSecond: number
}

const STARTS = 3
const PAIRS = 8
const PER_SAMPLE = 200
/** Until what sets connections up is compiled, on either side. */
const WARM_UP = 800
/** Time for ended connections to finish their cleanup. */
const PAUSE_MS = 300
const AT_ONCE = 8
const GOAL = 2.2

/** CPU of a connection that is set up, and how many a second, over TLS: the bridge beside a bare server. */
export async function handshake(): Promise<string> {
  const tls = certificate()
  const measured: Measured = { equal: [], v1: [], v2: [] }
  for (let start = 0; start < STARTS; start++) {
    const sides = [
      await bare(tls),
      await bare(tls),
      await bridge(tls, false),
      await bridge(tls, true),
    ] as const
    try {
      for (const side of sides) await sample(side, WARM_UP)
      for (let pair = 0; pair < PAIRS; pair++) {
        const baseFirst = pair % 2 === 0
        measured.equal.push(await samplePair(sides[0], sides[1], baseFirst))
        measured.v1.push(await samplePair(sides[0], sides[2], baseFirst))
        measured.v2.push(await samplePair(sides[0], sides[3], baseFirst))
      }
    } finally {
      await Promise.all(sides.map((side) => side.stop()))
    }
    console.error(`handshake: start ${start + 1} of ${STARTS}`)
  }
  const head = ['set-up over TLS', 'bare ws', 'bridge', 'ratio', '95 %', 'A/A', 'must', '']
  const rows = [
    rowOf('CPU each, µs: v1, the echo', 'cpuMicros', measured.v1, measured.equal, GOAL),
    rowOf('CPU each, µs: v2, the proof', 'cpuMicros', measured.v2, measured.equal),
    rowOf('connections a second: v1', 'perSecond', measured.v1, measured.equal),
    rowOf('connections a second: v2', 'perSecond', measured.v2, measured.equal),
  ]
  return alignedTable([head, ...rows], 1)
}

type Pair = readonly [Sample, Sample]

interface Measured {
  readonly equal: Pair[]
  readonly v1: Pair[]
  readonly v2: Pair[]
}

function rowOf(
  title: string,
  figure: keyof Sample,
  compared: readonly Pair[],
  equal: readonly Pair[],
  goal?: number,
): string[] {
  const ratios = (pairs: readonly Pair[]) => pairs.map(([base, other]) => other[figure] / base[figure])
  const { low, high } = medianInterval(ratios(compared))
  const ratio = median(ratios(compared))
  return [
    title,
    median(compared.map(([base]) => base[figure])).toFixed(0),
    median(compared.map(([, other]) => other[figure])).toFixed(0),
    ratio.toFixed(2),
    `${low.toFixed(2)}–${high.toFixed(2)}`,
    `±${reachFromOne(medianInterval(ratios(equal))).toFixed(2)}`,
    goal === undefined ? '' : `≤ ${goal.toFixed(2)}`,
    goal === undefined ? '' : ratio <= goal ? 'must met' : 'MISSED',
  ]
}

async function samplePair(base: Side, other: Side, baseFirst: boolean): Promise<Pair> {
  if (baseFirst) return [await sample(base), await sample(other)]
  const second = await sample(other)
  return [await sample(base), second]
}

async function sample({ server, crowd, url, logins }: Side, count = PER_SAMPLE): Promise<Sample> {
  const opening = { url, logins: await logins(count), atOnce: AT_ONCE }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  const before = await cpu(server)
  const elapsedMs = await crowd.ask('open', opening)
  const after = await cpu(server)
  await crowd.ask('close', undefined)
  return { cpuMicros: (after - before) / count, perSecond: (count * 1_000) / elapsedMs }
}

async function cpu(server: Side['server']): Promise<number> {
  return (await (server as Child<'./bare.ts'>).ask('cpu', undefined)).cpuMicros
}

async function bare(env: Readonly<Record<string, string>>): Promise<Side> {
  const server = await Child.start('./bare.ts', env)
  const crowd = await Child.start('./crowd.ts', env)
  const url = `wss://127.0.0.1:${await server.ask('port', undefined)}/`
  return { server, crowd, url, logins: async (count) => count, stop: () => stop(server, crowd) }
}

async function bridge(env: Readonly<Record<string, string>>, proving: boolean): Promise<Side> {
  const server = await Child.start('./bridge.ts', env)
  const crowd = await Child.start('./crowd.ts', env)
  const url = `wss://127.0.0.1:${await server.ask('port', undefined)}/api/mcp-ws`
  return {
    server,
    crowd,
    url,
    logins: (count) => server.ask('logins', { count, proving }),
    stop: () => stop(server, crowd),
  }
}

async function stop(...children: { stop(): Promise<void> }[]): Promise<void> {
  await Promise.all(children.map((child) => child.stop()))
}
