import { createHash } from 'node:crypto'
import type { RawJson } from '@bridgekeeper/protocol'
import type { ExchangeFacts } from '../exchanges/exchange.ts'
import type { Outcome, Refused } from '../exchanges/outcome-end.ts'
import type { System } from '../system.ts'
import { RequestStates, type RoundId } from './request-state.ts'
import { rpcError } from './results.ts'
import type { Run } from './run-2026.ts'

/** Runs of one local server that wait for answers. The one that waits for longest makes room for another. */
export const MAX_PARKED_RUNS = 16
/** Time that a client has to answer. */
export const PARKED_MS = 300_000
/** Time for which the outcome of a round is kept, if its answer was lost on the way. */
export const KEPT_MS = 60_000
/** Kept outcomes of this machine, and their bytes together. */
export const MAX_OUTCOMES = 256
export const MAX_OUTCOME_BYTES = 16 * 1_048_576

const INVALID_PARAMS = -32_602
const INVALID_STATE = rpcError(
  INVALID_PARAMS,
  'Invalid params: "requestState" was not made for this request, or was used with other answers.',
)
const UNKNOWN: Refused = {
  kind: 'refused',
  code: 'outcome_unknown',
  detail: 'The call waited too long for an answer, or was cancelled.',
}

interface Parked {
  readonly run: Run
  readonly serverName: string
  readonly client: string
  readonly cancelExpiry: () => void
}

/** A round that was answered. */
interface Used {
  /** Hash of the answers. */
  readonly answers: string
  readonly outcome: Promise<Outcome>
  bytes: number
}

/** [ERA.8] [ERA.10] Runs that wait for the answers of their clients. Each round is answered once; nothing runs a second time. */
export class Rounds {
  readonly #system: System
  readonly #states = new RequestStates()
  /** By id, the longest parked first. */
  readonly #parked = new Map<string, Parked>()
  /** By call and round, the oldest first. */
  readonly #used = new Map<string, Used>()
  #usedBytes = 0

  constructor(system: System) {
    this.#system = system
  }

  /** Parks a run until its client answers. @returns the state with which it does so */
  park(run: Run, facts: ExchangeFacts): string {
    const { serverName, client } = facts
    const [oldest, ...others] = [...this.#parked].filter(([, parked]) => parked.serverName === serverName)
    if (oldest !== undefined && others.length + 1 >= MAX_PARKED_RUNS) this.#expire(oldest[0])
    run.round++
    run.park()
    const cancelExpiry = this.#system.schedule(PARKED_MS, () => this.#expire(run.id))
    this.#parked.set(run.id, { run, serverName, client, cancelExpiry })
    return this.#states.seal({ call: run.id, round: run.round }, facts)
  }

  /**
   * Answers a round, at most once. The same answers again get the same outcome.
   * @param go lets the run go on
   */
  async answer(
    state: string,
    responses: RawJson | undefined,
    facts: ExchangeFacts,
    go: (run: Run) => Promise<Outcome>,
  ): Promise<Outcome> {
    const id = this.#states.open(state, facts)
    if (id === undefined) return INVALID_STATE
    const answers = createHash('sha256')
      .update(responses ?? '')
      .digest('base64')
    const used = this.#used.get(keyOf(id))
    if (used !== undefined) return used.answers === answers ? used.outcome : INVALID_STATE
    const run = this.#take(id)
    if (run === undefined) return UNKNOWN
    const outcome = go(run).then((settled) =>
      'kind' in settled && settled.kind === 'cancelled' ? UNKNOWN : settled,
    )
    this.#keep(id, { answers, outcome, bytes: 0 })
    return outcome
  }

  /** Cancels the runs of a client. */
  revoke(client: string): void {
    for (const [id, parked] of [...this.#parked]) if (parked.client === client) this.#expire(id)
  }

  #take({ call, round }: RoundId): Run | undefined {
    const parked = this.#parked.get(call)
    if (parked?.run.round !== round) return undefined
    this.#parked.delete(call)
    parked.cancelExpiry()
    return parked.run
  }

  #expire(id: string): void {
    const parked = this.#parked.get(id)
    this.#parked.delete(id)
    parked?.cancelExpiry()
    parked?.run.cancel()
  }

  #keep(id: RoundId, used: Used): void {
    const key = keyOf(id)
    this.#used.set(key, used)
    void used.outcome.then((outcome) => {
      if (this.#used.get(key) !== used) return
      used.bytes = 'kind' in outcome && outcome.kind === 'result' ? outcome.result.length : 0
      this.#usedBytes += used.bytes
      this.#system.schedule(KEPT_MS, () => this.#forget(key))
      for (const oldest of this.#used.keys()) {
        if (this.#used.size <= MAX_OUTCOMES && this.#usedBytes <= MAX_OUTCOME_BYTES) break
        this.#forget(oldest)
      }
    })
  }

  #forget(key: string): void {
    this.#usedBytes -= this.#used.get(key)?.bytes ?? 0
    this.#used.delete(key)
  }
}

function keyOf({ call, round }: RoundId): string {
  return `${call} ${round}`
}
