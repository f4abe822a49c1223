import type { System } from '../ports.ts'

/** An entry with a due time on the monotonic clock. */
export interface Dated {
  dueAtMs: number
  /** Its index in the queue's heap, which alone writes it; -1 while it is in none. */
  queueIndex: number
  timeUp(): void
}

/** Node's timers hold 31 bits of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
const NEVER = Number.POSITIVE_INFINITY

/**
 * Many deadlines behind one timer, since each timer costs several hundred bytes. A binary heap whose entries
 * know their positions, so that setting and removing take O(log n).
 */
export class DeadlineQueue {
  readonly #system: System
  readonly #heap: Dated[] = []
  #timerAtMs = NEVER
  #cancelTimer = (): void => {}

  constructor(system: System) {
    this.#system = system
  }

  /** Due then, and no longer when it was before. */
  set(dated: Dated, dueAtMs: number): void {
    dated.dueAtMs = dueAtMs
    if (dated.queueIndex === -1) dated.queueIndex = this.#heap.push(dated) - 1
    this.#sift(dated)
    this.#arm()
  }

  remove(dated: Dated): void {
    const index = dated.queueIndex
    if (index === -1) return
    dated.queueIndex = -1
    const last = this.#heap.pop()
    if (last !== undefined && last !== dated) {
      this.#put(last, index)
      this.#sift(last)
    }
    if (this.#heap.length > 0) return
    this.#cancelTimer()
    this.#timerAtMs = NEVER
  }

  /**
   * A timer that fires early finds nothing due and is set again, which is cheaper than resetting it at each
   * change.
   */
  #arm(): void {
    const next = this.#heap[0]
    if (next === undefined || next.dueAtMs >= this.#timerAtMs) return
    this.#cancelTimer()
    this.#timerAtMs = next.dueAtMs
    const delayMs = Math.min(Math.max(0, next.dueAtMs - this.#system.monotonicMs()), LONGEST_TIMER_MS)
    this.#cancelTimer = this.#system.after(delayMs, () => this.#timeUp())
  }

  #timeUp(): void {
    this.#timerAtMs = NEVER
    const nowMs = this.#system.monotonicMs()
    try {
      for (let next = this.#heap[0]; next !== undefined && next.dueAtMs <= nowMs; next = this.#heap[0]) {
        this.remove(next)
        next.timeUp()
      }
    } finally {
      this.#arm()
    }
  }

  /** Up while it is due before its parent, else down while a child is due before it. */
  #sift(dated: Dated): void {
    for (;;) {
      const parent = this.#heap[(dated.queueIndex - 1) >> 1]
      if (parent === undefined || parent.dueAtMs <= dated.dueAtMs) break
      this.#swap(dated, parent)
    }
    for (;;) {
      const left = this.#heap[2 * dated.queueIndex + 1]
      const right = this.#heap[2 * dated.queueIndex + 2]
      const child = right !== undefined && left !== undefined && right.dueAtMs < left.dueAtMs ? right : left
      if (child === undefined || child.dueAtMs >= dated.dueAtMs) return
      this.#swap(dated, child)
    }
  }

  #swap(one: Dated, other: Dated): void {
    const index = one.queueIndex
    this.#put(one, other.queueIndex)
    this.#put(other, index)
  }

  #put(dated: Dated, index: number): void {
    dated.queueIndex = index
    this.#heap[index] = dated
  }
}
