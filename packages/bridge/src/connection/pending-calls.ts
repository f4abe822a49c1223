import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import { type CallOutcome, failed } from '../calls/outcome.ts'
import { SlotTable } from '../collections/slot-table.ts'
import type { System } from '../ports.ts'

interface PendingCall {
  readonly id: string
  deadlineAtMs: number
  /** `undefined` once the caller has the outcome, while a large result arrives. */
  settle: ((outcome: CallOutcome) => void) | undefined
}

/**
 * The calls that one connection owes an answer. All have the same time limit; one timer serves them all.
 */
export class PendingCalls {
  readonly #calls: SlotTable<PendingCall>
  readonly #system: System
  readonly #timeoutMs: number
  readonly #onTimeout: (id: string) => void
  #cancelTimer: (() => void) | undefined

  constructor(system: System, timeoutMs: number, onTimeout: (id: string) => void) {
    this.#calls = new SlotTable(system)
    this.#system = system
    this.#timeoutMs = timeoutMs
    this.#onTimeout = onTimeout
  }

  get size(): number {
    return this.#calls.size
  }

  has(id: string): boolean {
    return this.#calls.get(id) !== undefined
  }

  /** @returns the id it waits under */
  add(settle: (outcome: CallOutcome) => void): string {
    const id = this.#calls.nextId()
    this.#calls.add({ id, deadlineAtMs: this.#system.monotonicMs() + this.#timeoutMs, settle })
    this.#cancelTimer ??= this.#system.after(this.#timeoutMs, () => this.#expire())
    return id
  }

  /** Answers the call once. @returns false when no such call waits: the answer is late, double or invented */
  settle(id: string, outcome: CallOutcome): boolean {
    const call = this.#calls.take(id)
    call?.settle?.(outcome)
    return call !== undefined
  }

  /** Whether the call has no outcome yet. */
  isWaiting(id: string): boolean {
    return this.#calls.get(id)?.settle !== undefined
  }

  /** Gives the caller the outcome of a call that lasts until `settle`, or times out without a `touch`. */
  begin(id: string, outcome: CallOutcome): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    const { settle } = call
    call.settle = undefined
    this.touch(id)
    settle?.(outcome)
  }

  /** The call shows progress, so its time limit begins again. */
  touch(id: string): void {
    const call = this.#calls.get(id)
    if (call !== undefined) call.deadlineAtMs = this.#system.monotonicMs() + this.#timeoutMs
  }

  failAll(code: ErrorCode): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    for (const { id } of this.#calls.items()) this.settle(id, failed(new BridgeError(code, `Call ${id}.`)))
  }

  #expire(): void {
    this.#cancelTimer = undefined
    const nowMs = this.#system.monotonicMs()
    let nextAtMs = Number.POSITIVE_INFINITY
    for (const call of this.#calls.items()) {
      if (call.deadlineAtMs > nowMs) {
        nextAtMs = Math.min(nextAtMs, call.deadlineAtMs)
        continue
      }
      this.settle(call.id, failed(new BridgeError('call_timeout', `Call ${call.id}.`)))
      this.#onTimeout(call.id)
    }
    if (nextAtMs !== Number.POSITIVE_INFINITY) {
      this.#cancelTimer ??= this.#system.after(nextAtMs - nowMs, () => this.#expire())
    }
  }
}
