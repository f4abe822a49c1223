import { limits } from '@bridgekeeper/protocol'
import type { System } from '../ports.ts'
import type { Dated, DeadlineQueue } from './deadline-queue.ts'

/** What is due: the token has ended, no proof came in time, or a device is to prove itself again. */
export type Due = 'token-expired' | 'challenge-timeout' | 'renew'

/** Renewals fall into the last minute of their ten, each second alike. Few different delays are cheap as timers. */
const SPREAD_STEPS = 60
const SPREAD_STEP_MS = 1_000
/** A store that could not say what is to be proven is asked again after this. */
const RETRY_MS = 10_000
const NEVER = Number.POSITIVE_INFINITY

/** Who is told what is due. */
export interface DueListener {
  onDue(due: Due): void
}

/** The moments of a connection, on the monotonic clock; the next of them stands in the queue of all. */
export class Deadlines implements Dated {
  dueAtMs = NEVER
  queuePlace = -1
  readonly #system: System
  readonly #queue: DeadlineQueue
  readonly #listener: DueListener
  #expiresAtMs = NEVER
  #renewAtMs = NEVER
  #proveByMs: number
  #stopped = false

  /** The challenge goes out now. @param tokenEndsAtMs wall clock */
  constructor(system: System, queue: DeadlineQueue, tokenEndsAtMs: number, listener: DueListener) {
    this.#system = system
    this.#queue = queue
    this.#listener = listener
    this.#proveByMs = system.monotonicMs() + limits.challengeMs
    this.setTokenEnd(tokenEndsAtMs)
  }

  /** @param tokenEndsAtMs wall clock */
  setTokenEnd(tokenEndsAtMs: number): void {
    this.#expiresAtMs = this.#system.monotonicMs() + tokenEndsAtMs - this.#system.nowMs()
    this.#arm()
  }

  /** The challenge was answered, and no device has to prove itself again. */
  answered(): void {
    this.#proveByMs = NEVER
    this.#arm()
  }

  /**
   * [PROOF.10] A device proved itself, and does so again in ten minutes at the latest; not all of them at once
   * where many came at once.
   */
  proved(): void {
    const earlierMs = (this.#system.randomBytes(4).readUInt32BE() % SPREAD_STEPS) * SPREAD_STEP_MS
    this.#renewAtMs = this.#system.monotonicMs() + limits.renewalMs - earlierMs
    this.#proveByMs = this.#renewAtMs + limits.challengeMs
    this.#arm()
  }

  /** A later challenge went out. No challenge gives more time than the one before it. */
  challenged(): void {
    this.#proveByMs = Math.min(this.#proveByMs, this.#system.monotonicMs() + limits.challengeMs)
    this.#arm()
  }

  /** A renewal could not be begun. */
  retry(): void {
    this.#renewAtMs = this.#system.monotonicMs() + RETRY_MS
    this.#arm()
  }

  stop(): void {
    this.#stopped = true
    this.#queue.remove(this)
  }

  #arm(): void {
    if (!this.#stopped) this.#queue.set(this, Math.min(this.#expiresAtMs, this.#renewAtMs, this.#proveByMs))
  }

  timeUp(): void {
    const nowMs = this.#system.monotonicMs()
    if (nowMs >= this.#expiresAtMs) return this.#listener.onDue('token-expired')
    if (nowMs >= this.#proveByMs) return this.#listener.onDue('challenge-timeout')
    if (nowMs >= this.#renewAtMs) {
      this.#renewAtMs = NEVER
      this.#listener.onDue('renew')
    }
    this.#arm()
  }
}
