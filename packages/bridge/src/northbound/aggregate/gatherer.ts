import { BridgeError, discard, limits, payloadBytes, type RawJson, readWhole } from '@bridgekeeper/protocol'
import type { ExchangeEnd, Opening } from '../../exchanges/exchange.ts'
import { denialError } from '../../gates/verdict.ts'
import type { System } from '../../ports.ts'
import type { Dispatcher } from '../../router/dispatcher.ts'
import { EndReader } from '../end-reader.ts'
import type { OpenRequest } from '../open-request.ts'

/** Time that all servers have together. Many clients give up after ten seconds. */
export const GATHER_MS = 5_000
/** Servers that are asked at the same time. */
export const MAX_ASKED = 8

/** Asks one server, until the time is over. @returns `undefined` if it did not answer */
export type Ask = (opening: Opening) => Promise<RawJson | undefined>

/** [AGG.8] Asks several local servers for a caller. A server that fails or is slow delays nobody else's answer. */
export class Gatherer {
  readonly #dispatcher: Dispatcher
  readonly #system: System

  constructor(dispatcher: Dispatcher, system: System) {
    this.#dispatcher = dispatcher
    this.#system = system
  }

  /**
   * Runs the function for each server, eight at a time. What it asks is cancelled after five seconds, and when the
   * caller leaves. [LOAD.2] What they answer counts as held by the caller's user meanwhile.
   * @throws BridgeError if that is too much, or if a machine says that the caller's MCP session has ended
   */
  async each<Server, Found>(
    open: OpenRequest,
    servers: readonly Server[],
    find: (server: Server, ask: Ask) => Promise<Found>,
  ): Promise<readonly Found[]> {
    const asked = new Asked(open)
    const cancelTimer = this.#system.after(GATHER_MS, () => asked.cancel())
    open.onEnd(() => asked.cancel())
    const ask: Ask = (opening) => this.#ask(open, opening, asked)
    const found: Found[] = []
    const waiting = [...servers.entries()]
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        found[next[0]] = await find(next[1], ask)
    }
    await Promise.all(Array.from({ length: MAX_ASKED }, work))
    cancelTimer()
    asked.free()
    if (asked.refusal !== undefined) throw asked.refusal
    if (asked.hasSessionEnded) throw new BridgeError('session_unknown')
    return found
  }

  #ask({ caller }: OpenRequest, opening: Opening, asked: Asked): Promise<RawJson | undefined> {
    if (asked.isOver) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const reader = new EndReader((end) => {
        asked.hasSessionEnded ||= end.kind === 'failed' && end.error.code === 'session_unknown'
        readAnswer(end, asked, (answer) => {
          asked.running.delete(cancel)
          resolve(answer)
        })
      })
      const cancel = (): void => exchange.cancel()
      asked.running.add(cancel)
      const exchange = this.#dispatcher.open(caller, opening, reader)
    })
  }
}

/** @param done receives the answer once; `undefined` without one, or if it is larger than may be held */
function readAnswer(end: ExchangeEnd, asked: Asked, done: (answer: RawJson | undefined) => void): void {
  const answer = end.kind === 'answered' ? end.message : undefined
  if (answer === undefined) return done(undefined)
  const sizeBytes = payloadBytes(answer)
  if (sizeBytes <= limits.catalogBytes && asked.hold(sizeBytes)) return readWhole(answer, done)
  discard(answer)
  done(undefined)
}

/** Requests to several servers for one caller. */
class Asked {
  readonly running = new Set<() => void>()
  isOver = false
  hasSessionEnded = false
  /** Why the caller's user may hold no more of the answers. */
  refusal: BridgeError | undefined
  readonly #open: OpenRequest
  #heldBytes = 0

  constructor(open: OpenRequest) {
    this.#open = open
  }

  /** Cancels everything that still runs: the time is over, or there is no memory for the rest. */
  cancel(): void {
    this.isOver = true
    for (const cancel of [...this.running]) cancel()
  }

  /** Reserves memory for an answer. @returns whether there is enough */
  hold(sizeBytes: number): boolean {
    if (this.refusal !== undefined) return false
    const refused = this.#open.hold(sizeBytes)
    if (refused === undefined) {
      this.#heldBytes += sizeBytes
      return true
    }
    this.refusal = denialError(refused)
    this.cancel()
    return false
  }

  /** All answers are there, and become part of the caller's, which is counted. */
  free(): void {
    this.#open.free(this.#heldBytes)
  }
}
