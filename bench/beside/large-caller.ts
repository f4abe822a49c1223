/** Calls for large results without a pause, one at a time, until its parent is gone. */
import { announce } from '../child.ts'
import { LoadClient } from '../client.ts'
import type { Address } from '../request.ts'

/** Shorter than the parent's measurement, so that it ends soon after. */
const RUN_MS = 1_000

const { address, resultBytes } = JSON.parse(process.env.BENCH_LARGE ?? '') as {
  readonly address: Address
  readonly resultBytes: number
}
const client = await LoadClient.open(address, 1, { kind: 'call', resultBytes, concurrencies: [1] })
announce({ port: 0 })
for (;;) await client.run(RUN_MS)
