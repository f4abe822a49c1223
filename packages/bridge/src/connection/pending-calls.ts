import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import { type CallOutcome, failed } from '../calls/outcome.ts'
import type { System } from '../ports.ts'

interface PendingCall {
  readonly id: string
  deadlineAtMs: number
  /** `undefined` once the caller has the outcome, while a large result arrives. */
  settle: ((outcome: CallOutcome) => void) | undefined
}

/** An id is 20 random characters, which nobody can guess, and the call's slot. */
const RANDOM_BYTES = 15
const RANDOM_CHARS = 20

/**
 * The calls one connection owes an answer, each in a slot that its id names. Not a Map: V8 chains the
 * tables that a busy Map has outgrown, and once one of them is old, all later ones stay, with their
 * calls and all those refer to, until the next full collection.
 *
 * All have the same time limit; one timer serves them all.
 */
export class PendingCalls {
  readonly #slots: (PendingCall | undefined)[] = []
  readonly #freeSlots: number[] = []
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
    return this.#slots.length - this.#freeSlots.length
  }

  has(id: string): boolean {
    return this.#slots[slotOf(id)]?.id === id
  }

  /** @returns the id it waits under */
  add(settle: (outcome: CallOutcome) => void): string {
    const slot = this.#freeSlots.pop() ?? this.#slots.length
    const id =
      this.#system.randomBytes(RANDOM_BYTES).toString('base64url') + slot.toString(36).padStart(2, '0')
    this.#slots[slot] = {
      id,
      deadlineAtMs: this.#system.monotonicMs() + this.#timeoutMs,
      settle,
    }
    this.#cancelTimer ??= this.#system.after(this.#timeoutMs, () => this.#expire())
    return id
  }

  /** Answers the call once. @returns false when no such call waits: the answer is late, double or invented */
  settle(id: string, outcome: CallOutcome): boolean {
    const slot = slotOf(id)
    const call = this.#slots[slot]
    if (call === undefined || call.id !== id) return false
    this.#slots[slot] = undefined
    this.#freeSlots.push(slot)
    call.settle?.(outcome)
    return true
  }

  /** Whether the call has no outcome yet. */
  isWaiting(id: string): boolean {
    const call = this.#slots[slotOf(id)]
    return call?.id === id && call.settle !== undefined
  }

  /** Gives the caller the outcome of a call that lasts until `settle`, or times out without a `touch`. */
  begin(id: string, outcome: CallOutcome): void {
    const call = this.#slots[slotOf(id)]
    if (call?.id !== id) return
    const { settle } = call
    call.settle = undefined
    this.touch(id)
    settle?.(outcome)
  }

  /** The call shows progress, so its time limit begins again. */
  touch(id: string): void {
    const call = this.#slots[slotOf(id)]
    if (call?.id === id) call.deadlineAtMs = this.#system.monotonicMs() + this.#timeoutMs
  }

  failAll(code: ErrorCode): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    for (const call of [...this.#slots]) {
      if (call !== undefined) this.settle(call.id, failed(new BridgeError(code, `Call ${call.id}.`)))
    }
  }

  #expire(): void {
    this.#cancelTimer = undefined
    const nowMs = this.#system.monotonicMs()
    let nextAtMs = Number.POSITIVE_INFINITY
    for (const call of [...this.#slots]) {
      if (call === undefined) continue
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

function slotOf(id: string): number {
  return Number.parseInt(id.slice(RANDOM_CHARS), 36)
}
