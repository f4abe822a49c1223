/**
 * `npm run bench:beside`: small calls alone, and beside a caller that gets large results on the same agent's socket.
 * Goals: ../RESULTS.md.
 */
import { LoadClient } from '../client.ts'
import { describeMachine } from '../machine.ts'
import { BenchProcess } from '../processes.ts'
import { rows } from '../rows.ts'
import { median } from '../stats.ts'
import { Target } from '../targets.ts'

const MIB = 1_048_576
const LARGE_MIB = [10, 60]
const ROUNDS = 8
const WARM_UP_MS = 3_000
const SAMPLE_MS = 2_000
/** Goal: how much slower the slowest hundredth may get. */
const MAX_P99_RATIO = 3

console.log(describeMachine())
const target = await Target.start('bridge')
const client = await LoadClient.open(target.address, 1, rows['200B'])
try {
  await client.run(WARM_UP_MS)
  for (const mib of LARGE_MIB) await compare(mib)
} finally {
  client.close()
  await target.stop()
}
process.exit()

/** Alternates quiet samples and samples beside large results, since the machine changes over time. */
async function compare(mib: number): Promise<void> {
  const quietMs: number[] = []
  const besideMs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    quietMs.push((await client.run(SAMPLE_MS)).p99Ms)
    const large = await BenchProcess.start('./beside/large-caller.ts', {
      BENCH_LARGE: JSON.stringify({ address: target.address, resultBytes: mib * MIB }),
    })
    besideMs.push((await client.run(SAMPLE_MS)).p99Ms)
    await large.stop()
  }
  const ratio = median(besideMs) / median(quietMs)
  const verdict = ratio <= MAX_P99_RATIO ? 'met   ' : 'MISSED'
  const figures = `${median(quietMs).toFixed(2)} ms quiet, ${median(besideMs).toFixed(2)} ms beside`
  console.log(
    `${verdict} p99 of 200 B beside ${mib} MiB: ${figures} (${ratio.toFixed(1)}×, goal ≤ ${MAX_P99_RATIO})`,
  )
}
