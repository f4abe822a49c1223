import { Lane } from './lane.ts'
import type { Address } from './request.ts'
import type { Row } from './rows.ts'
import { quantile } from './stats.ts'

/** Results of a run of calls. */
export interface Run {
  readonly calls: number
  readonly elapsedMs: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const LAST_ANSWERS_TIMEOUT_MS = 10_000

/** Concurrent callers, each with a separate connection. */
export class LoadClient {
  readonly #lanes: readonly Lane[]

  private constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes
  }

  /** Opens `concurrency` connections for requests of this row. */
  static async open(address: Address, concurrency: number, row: Row): Promise<LoadClient> {
    const lanes = Array.from({ length: concurrency }, () => Lane.open(address, row))
    return new LoadClient(await Promise.all(lanes))
  }

  /** Calls for so long and waits for the last answers. One answer of each run is checked whole, afterwards. */
  async run(durationMs: number): Promise<Run> {
    const timer = setTimeout(() => this.#giveUp(), durationMs + LAST_ANSWERS_TIMEOUT_MS)
    const startMs = performance.now()
    const runs = this.#lanes.map((lane, index) => lane.run(startMs + durationMs, index === 0))
    const latenciesMs = (await Promise.all(runs).finally(() => clearTimeout(timer))).flat()
    const elapsedMs = performance.now() - startMs
    this.#lanes[0]?.checkKept()
    return {
      calls: latenciesMs.length,
      elapsedMs,
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
    }
  }

  close(): void {
    for (const lane of this.#lanes) lane.close()
  }

  #giveUp(): void {
    for (const lane of this.#lanes) lane.fail('no answer in time')
  }
}
