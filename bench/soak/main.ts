/**
 * `npm run bench:soak [-- --seconds 120]`: twenty abusers of every kind beside five honest clients, all against
 * one `serve`. Fails if memory passes its bound, if an honest request is refused, or if honest requests get slow.
 * The record: ../RESULTS.md.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { quantile } from '../stats.ts'
import type { AbuseOrder, Answers } from './abusers.ts'
import { HonestClient, type Phase } from './honest.ts'
import { ABUSES, MORE } from './kinds.ts'
import { SoakNode } from './node.ts'

const HONEST = 5
/** Limit of the node's resident memory under abuse. */
const MAX_RESIDENT_MIB = 600
/** How much slower the slowest hundredth of the honest requests may get. */
const MAX_P99_RATIO = 3
const QUIET_SHARE = 0.25
const MEMORY_EVERY_MS = 250

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '120' } } })
const totalMs = Number(values.seconds) * 1_000
if (!(totalMs >= 10_000)) throw new Error(`--seconds must be at least 10, got "${values.seconds}".`)

const node = await SoakNode.start()
const abusers = fork(new URL('./abusers.ts', import.meta.url))
let peakMib = 0
const watch = setInterval(() => {
  peakMib = Math.max(peakMib, node.residentMib)
}, MEMORY_EVERY_MS)
try {
  const clients = await Promise.all(
    Array.from({ length: HONEST }, (_, n) => HonestClient.start(node, `honest-${n}`, `127.9.0.${n + 1}`)),
  )
  await phase(clients, totalMs * 0.05)
  const quiet = await phase(clients, totalMs * QUIET_SHARE)
  const quietMib = peakMib
  abusers.send(await orderOf(node))
  const loaded = await phase(clients, totalMs * (1 - QUIET_SHARE))
  const answers = await reportOf(abusers)
  for (const client of clients) client.close()
  judge(quiet, loaded, quietMib, answers)
} finally {
  clearInterval(watch)
  abusers.disconnect()
  await node.stop()
}
process.exit()

async function phase(clients: readonly HonestClient[], durationMs: number): Promise<Phase> {
  const untilMs = performance.now() + durationMs
  const phases = await Promise.all(clients.map((client) => client.run(untilMs)))
  return {
    latenciesMs: phases.flatMap(({ latenciesMs }) => latenciesMs),
    refusals: phases.flatMap(({ refusals }) => refusals),
  }
}

/** Every kind of abuse, each abuser with an address and a user. */
async function orderOf(soakNode: SoakNode): Promise<AbuseOrder> {
  const kinds = Object.keys(ABUSES).flatMap((kind) => Array.from({ length: MORE[kind] ?? 1 }, () => kind))
  const ordered = []
  for (const [n, kind] of kinds.entries()) {
    const user = await soakNode.addUser(`abuser-${n}`)
    if (kind === 'ended-login') await soakNode.logOut(user)
    ordered.push({ kind, from: `127.8.${n}.1`, user })
  }
  return { port: soakNode.port, abusers: ordered }
}

async function reportOf(child: ChildProcess): Promise<Answers> {
  child.send('report')
  const [answers] = (await once(child, 'message')) as [Answers]
  return answers
}

function judge(quiet: Phase, loaded: Phase, quietMib: number, answers: Answers): void {
  const [quietMs, loadedMs] = [quiet, loaded].map(({ latenciesMs }) => quantile(latenciesMs, 0.99))
  const ratio = (loadedMs ?? Number.NaN) / (quietMs ?? Number.NaN)
  const refusals = [...quiet.refusals, ...loaded.refusals]
  console.log(`${describeMachine()}\n`)
  for (const [kind, counts] of Object.entries(answers)) console.log(`${kind}: ${JSON.stringify(counts)}`)
  const checks = [
    [
      `resident memory ${quietMib.toFixed(0)} MiB quiet, ${peakMib.toFixed(0)} MiB at most`,
      peakMib < MAX_RESIDENT_MIB,
    ],
    [
      `honest p99 ${quietMs?.toFixed(1)} ms quiet, ${loadedMs?.toFixed(1)} ms beside abuse (${ratio.toFixed(2)}×)`,
      ratio < MAX_P99_RATIO,
    ],
    [`honest requests ${loaded.latenciesMs.length}, refused ${refusals.length}`, refusals.length === 0],
  ] as const
  for (const [text, isMet] of checks) console.log(`${isMet ? 'met   ' : 'MISSED'} ${text}`)
  for (const refusal of refusals.slice(0, 5)) console.log(`       ${refusal}`)
  process.exitCode = checks.every(([, isMet]) => isMet) ? 0 : 1
}
