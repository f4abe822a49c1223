import { alignedTable, quantile } from '../stats.ts'
import { Child } from './child.ts'

const AGENTS = 1_000
const AT_ONCE = 32
const LOGIN_REVOKED = 4510
const GOAL_MS = 1_000

/** From the act of revoking to the closed socket, as the agents see it, with so many agents connected. */
export async function revocation(): Promise<string> {
  const rows = [await inProcess()]
  return alignedTable([['revocation to closed socket, ms', 'p50', 'p99', 'longest', 'must'], ...rows], 1)
}

async function inProcess(): Promise<string[]> {
  const server = await Child.start('./bridge.ts')
  const crowd = await Child.start('./crowd.ts')
  try {
    const url = `ws://127.0.0.1:${await server.ask('port', undefined)}/api/mcp-ws`
    const logins = await server.ask('logins', { count: AGENTS, proving: false })
    await crowd.ask('open', { url, logins, atOnce: AT_ONCE })
    const revocations = logins.map(({ userId, sessionId }, n) =>
      n % 2 === 0 ? ({ kind: 'user', id: userId } as const) : ({ kind: 'session', id: sessionId } as const),
    )
    const beganMs = await server.ask('revoke', revocations)
    const ended = await crowd.ask('ended', undefined)
    if (ended.some(({ code }) => code !== LOGIN_REVOKED)) throw new Error('a socket ended otherwise')
    const tookMs = ended.map(({ atMs }, n) => atMs - (beganMs[n] ?? Number.NaN))
    return rowOf(`${AGENTS} agents, the app revokes them all at once`, tookMs)
  } finally {
    await Promise.all([crowd.stop(), server.stop()])
  }
}

function rowOf(title: string, tookMs: readonly number[]): string[] {
  const p99Ms = quantile(tookMs, 0.99)
  return [
    title,
    quantile(tookMs, 0.5).toFixed(1),
    p99Ms.toFixed(1),
    Math.max(...tookMs).toFixed(1),
    `p99 ≤ ${GOAL_MS}: ${p99Ms <= GOAL_MS ? 'met' : 'MISSED'}`,
  ]
}
