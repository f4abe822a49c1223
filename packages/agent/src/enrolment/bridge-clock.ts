import type { System } from '../system.ts'
import type { Answer } from './ask.ts'
import { refusalCode } from './refusal.ts'

/** Tolerated clock difference, small against the minute for which an assertion is valid. */
const SLACK_MS = 2_000

/**
 * [LINKUP.4] Corrects the clock for signed assertions, which are valid for a minute only. If the bridge
 * rejects this machine's time, the agent retries once with the time of the bridge's answer.
 */
export class BridgeClock {
  readonly #system: System
  #offMs = 0

  constructor(system: System) {
    this.#system = system
  }

  /** @param ask signs with this time and sends the request */
  async ask(ask: (nowMs: number) => Promise<Answer>): Promise<Answer> {
    const answer = await ask(this.#system.nowMs() + this.#offMs)
    return this.#learns(answer) ? ask(this.#system.nowMs() + this.#offMs) : answer
  }

  #learns(answer: Answer): boolean {
    if (refusalCode(answer) !== 'clock_wrong' || answer.dateMs === undefined) return false
    const offMs = answer.dateMs - this.#system.nowMs()
    const isNews = Math.abs(offMs - this.#offMs) > SLACK_MS
    this.#offMs = offMs
    return isNews
  }
}
