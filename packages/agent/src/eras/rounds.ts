import { createHash } from 'node:crypto'
import type { RawJson } from '@bridgekeeper/protocol'
import type { Exchange, ExchangeFacts } from '../exchanges/exchange.ts'
import type { Outcome, Refused } from '../exchanges/outcome-end.ts'
import { oldestOfMost } from '../fair-share.ts'
import type { System } from '../system.ts'
import { canonical, RequestStates, type RoundId } from './request-state.ts'
import { rpcError } from './results.ts'
import type { Run } from './run-2026.ts'

/** Runs of one local server that wait for answers. The oldest of the client with most makes room for another. */
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
  'Invalid params: "requestState" was not made for this request, or was used with other answers, or the agent has restarted.',
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
  /** The run, until it has an outcome. */
  run: Run | undefined
  readonly outcome: Promise<Outcome>
  bytes: number
  cancelExpiry: () => void
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
    const cancelExpiry = this.#system.schedule(PARKED_MS, () => this.#expire(run.id))
    this.#parked.set(run.id, { run, serverName, client, cancelExpiry })
    this.#trim(serverName)
    run.round++
    run.park()
    return this.#states.seal({ call: run.id, round: run.round }, facts)
  }

  /**
   * Answers a round, at most once. The same answers again, in any spelling, get the same outcome.
   * @param go continues the run
   */
  async answer(
    state: string,
    responses: ReadonlyMap<string, RawJson>,
    exchange: Exchange,
    go: (run: Run) => Promise<Outcome>,
  ): Promise<Outcome> {
    const id = this.#states.open(state, exchange.facts)
    if (id === undefined) return INVALID_STATE
    const answers = hashOf(responses)
    const used = this.#used.get(keyOf(id))
    if (used !== undefined && used.answers !== answers) return INVALID_STATE
    // The first exchange may have lost its caller unnoticed.
    used?.run?.waitFor(exchange)
    if (used !== undefined) return used.outcome
    const run = this.#take(id)
    if (run === undefined) return UNKNOWN
    const outcome = go(run).then((settled) =>
      'kind' in settled && settled.kind === 'cancelled' ? UNKNOWN : settled,
    )
    this.#keep(id, { answers, run, outcome, bytes: 0, cancelExpiry: () => {} })
    return outcome
  }

  /** Cancels the runs of a client. */
  revoke(client: string): void {
    for (const [id, parked] of [...this.#parked]) if (parked.client === client) this.#expire(id)
  }

  /** Of too many waiting calls at a server, the client with most loses its oldest. */
  #trim(serverName: string): void {
    const waiting = [...this.#parked.values()].filter((parked) => parked.serverName === serverName)
    const excess = waiting.length > MAX_PARKED_RUNS ? oldestOfMost(waiting) : undefined
    if (excess !== undefined) this.#expire(excess.run.id)
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
      used.run = undefined
      if (this.#used.get(key) !== used) return
      used.bytes = 'kind' in outcome && outcome.kind === 'result' ? outcome.result.length : 0
      this.#usedBytes += used.bytes
      used.cancelExpiry = this.#system.schedule(KEPT_MS, () => this.#forget(key))
      for (const oldest of this.#used.keys()) {
        if (this.#used.size <= MAX_OUTCOMES && this.#usedBytes <= MAX_OUTCOME_BYTES) break
        this.#forget(oldest)
      }
    })
  }

  #forget(key: string): void {
    const used = this.#used.get(key)
    used?.cancelExpiry()
    this.#usedBytes -= used?.bytes ?? 0
    this.#used.delete(key)
  }
}

/** Equal for the same answers. */
function hashOf(responses: ReadonlyMap<string, RawJson>): string {
  const hash = createHash('sha256')
  for (const [key, answer] of [...responses].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const bytes = canonical(answer)
    hash.update(JSON.stringify([key, bytes.length])).update(bytes)
  }
  return hash.digest('base64')
}

function keyOf({ call, round }: RoundId): string {
  return `${call} ${round}`
}
