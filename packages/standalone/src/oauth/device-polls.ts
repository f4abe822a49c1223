import { hash } from 'node:crypto'
import type { System } from '@bridgekeeper/bridge'

/** Seconds between two polls, unless they came too fast. Source: RFC 8628 sections 3.2 and 3.5. */
export const POLL_SECONDS = 5
const LIFETIME_MS = 600_000
const MAX_CODES = 10_000

interface Poll {
  readonly polledMs: number
  readonly intervalMs: number
}

/** [OAUTH.10] Throttles the polling of each device code; each poll that is too early extends its interval. */
export class DevicePolls {
  readonly #system: System
  readonly #polls = new Map<string, Poll>()

  constructor(system: System) {
    this.#system = system
  }

  /** Records a poll. @returns whether it came too soon after the previous one */
  isTooFast(deviceCode: string): boolean {
    const nowMs = this.#system.monotonicMs()
    this.#forgetOld(nowMs)
    const key = hash('sha256', deviceCode, 'base64url')
    const last = this.#polls.get(key)
    const intervalMs = last?.intervalMs ?? POLL_SECONDS * 1_000
    const tooFast = last !== undefined && nowMs - last.polledMs < intervalMs
    this.#polls.delete(key)
    const slower = tooFast ? POLL_SECONDS * 1_000 : 0
    this.#polls.set(key, { polledMs: nowMs, intervalMs: intervalMs + slower })
    return tooFast
  }

  /** Evicts the code that was polled longest ago. */
  #forgetOld(nowMs: number): void {
    for (const [key, { polledMs }] of this.#polls) {
      if (nowMs - polledMs < LIFETIME_MS && this.#polls.size < MAX_CODES) return
      this.#polls.delete(key)
    }
  }
}
