import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import { type CallOutcome, failed } from '../calls/outcome.ts'
import type { System } from '../ports.ts'

interface PendingCall {
  readonly deadlineAtMs: number
  readonly settle: (outcome: CallOutcome) => void
}

/**
 * The calls one connection owes an answer. All have the same time limit, so they expire in the order
 * they came in, and one timer on the oldest serves them all.
 */
export class PendingCalls {
  readonly #calls = new Map<string, PendingCall>()
  readonly #system: System
  readonly #timeoutMs: number
  readonly #onTimeout: (id: string) => void
  #cancelTimer: (() => void) | undefined

  constructor(system: System, timeoutMs: number, onTimeout: (id: string) => void) {
    this.#system = system
    this.#timeoutMs = timeoutMs
    this.#onTimeout = onTimeout
  }

  get size(): number {
    return this.#calls.size
  }

  has(id: string): boolean {
    return this.#calls.has(id)
  }

  add(id: string, settle: (outcome: CallOutcome) => void): void {
    this.#calls.set(id, { deadlineAtMs: this.#system.monotonicMs() + this.#timeoutMs, settle })
    this.#cancelTimer ??= this.#system.after(this.#timeoutMs, () => this.#expire())
  }

  /** Answers the call once. `false` when no such call waits: it is late, double or invented. */
  settle(id: string, outcome: CallOutcome): boolean {
    const call = this.#calls.get(id)
    if (call === undefined) return false
    this.#calls.delete(id)
    call.settle(outcome)
    return true
  }

  failAll(code: ErrorCode): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    for (const id of [...this.#calls.keys()]) this.settle(id, failed(new BridgeError(code, `Call ${id}.`)))
  }

  #expire(): void {
    this.#cancelTimer = undefined
    const nowMs = this.#system.monotonicMs()
    for (const [id, call] of this.#calls) {
      if (call.deadlineAtMs > nowMs) {
        this.#cancelTimer = this.#system.after(call.deadlineAtMs - nowMs, () => this.#expire())
        return
      }
      this.settle(id, failed(new BridgeError('call_timeout', `Call ${id}.`)))
      this.#onTimeout(id)
    }
  }
}
