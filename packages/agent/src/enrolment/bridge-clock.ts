import type { System } from '../system.ts'
import type { Answer } from './ask.ts'
import { refusalCode } from './refusal.ts'

/** A clock that is off by less is good enough for what lives for a minute. */
const SLACK_MS = 2_000

/**
 * [LINKUP.4] What a machine signs lives for a minute, and machines' clocks are off by more. Where the bridge finds ours
 * wrong, it is asked once more by its own clock, which only says when what we sign for it is good.
 */
export class BridgeClock {
  readonly #system: System
  #offMs = 0

  constructor(system: System) {
    this.#system = system
  }

  /** @param ask signs for this time, and asks */
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
