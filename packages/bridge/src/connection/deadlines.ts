import { limits } from '@bridgekeeper/protocol'
import type { Dated, DeadlineQueue } from '../collections/deadline-queue.ts'
import type { System } from '../ports.ts'

/** A due deadline: the token expired, no proof came in time, or the device must prove itself again. */
export type Due = 'token-expired' | 'challenge-timeout' | 'renew'

/** Renewals fall into the last minute of their ten, each second alike. Few different delays are cheap as timers. */
const SPREAD_STEPS = 60
const SPREAD_STEP_MS = 1_000
/** Delay before a failed look-up in the store is retried. */
const RETRY_MS = 10_000

/** Receives due deadlines. */
export interface DueListener {
  onDue(due: Due): void
}

/** The deadlines of a connection, on the monotonic clock; the next one is in the shared queue. */
export class Deadlines implements Dated {
  dueAtMs = 0
  queueIndex = -1
  readonly #system: System
  readonly #queue: DeadlineQueue
  readonly #listener: DueListener
  // Integers, also for "none": a fraction or Infinity would be a heap object.
  #expiresAtMs: number
  #renewAtMs: number | undefined
  #proveByMs: number | undefined
  #stopped = false

  /** Starts the challenge's deadline. @param tokenEndsAtMs wall clock */
  constructor(system: System, queue: DeadlineQueue, tokenEndsAtMs: number, listener: DueListener) {
    this.#system = system
    this.#queue = queue
    this.#listener = listener
    this.#proveByMs = Math.ceil(system.monotonicMs()) + limits.challengeMs
    this.#expiresAtMs = this.#ends(tokenEndsAtMs)
    this.#arm()
  }

  /** @param tokenEndsAtMs wall clock */
  setTokenEnd(tokenEndsAtMs: number): void {
    this.#expiresAtMs = this.#ends(tokenEndsAtMs)
    this.#arm()
  }

  /** The challenge was answered, and no device has to prove itself again. */
  answered(): void {
    this.#proveByMs = undefined
    this.#arm()
  }

  /**
   * [PROOF.10] Schedules the next proof, within ten minutes. Jitter spreads devices that connected at once.
   */
  proved(): void {
    const earlierMs = (this.#system.randomBytes(4).readUInt32BE() % SPREAD_STEPS) * SPREAD_STEP_MS
    this.#renewAtMs = Math.ceil(this.#system.monotonicMs()) + limits.renewalMs - earlierMs
    this.#proveByMs = this.#renewAtMs + limits.challengeMs
    this.#arm()
  }

  /** A later challenge went out. No challenge gives more time than the one before it. */
  challenged(): void {
    const byMs = Math.ceil(this.#system.monotonicMs()) + limits.challengeMs
    this.#proveByMs = Math.min(this.#proveByMs ?? byMs, byMs)
    this.#arm()
  }

  /** A renewal could not be begun. */
  retry(): void {
    this.#renewAtMs = Math.ceil(this.#system.monotonicMs()) + RETRY_MS
    this.#arm()
  }

  stop(): void {
    this.#stopped = true
    this.#queue.remove(this)
  }

  #ends(tokenEndsAtMs: number): number {
    return Math.floor(this.#system.monotonicMs() + tokenEndsAtMs - this.#system.nowMs())
  }

  #arm(): void {
    if (this.#stopped) return
    const soonestMs = Math.min(this.#expiresAtMs, this.#renewAtMs ?? this.#expiresAtMs)
    this.#queue.set(this, Math.min(soonestMs, this.#proveByMs ?? soonestMs))
  }

  timeUp(): void {
    const nowMs = this.#system.monotonicMs()
    const proveByMs = this.#proveByMs ?? Number.POSITIVE_INFINITY
    // At the same moment the earlier state wins: a token's end is rounded down to it.
    if (nowMs >= proveByMs && proveByMs <= this.#expiresAtMs) return this.#listener.onDue('challenge-timeout')
    if (nowMs >= this.#expiresAtMs) return this.#listener.onDue('token-expired')
    if (this.#renewAtMs !== undefined && nowMs >= this.#renewAtMs) {
      this.#renewAtMs = undefined
      this.#listener.onDue('renew')
    }
    this.#arm()
  }
}
