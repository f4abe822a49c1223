import { limits } from '@bridgekeeper/protocol'
import type { System } from '../ports.ts'

/** What is due: the token has ended, no proof came in time, or a device is to prove itself again. */
export type Due = 'token-expired' | 'challenge-timeout' | 'renew'

/** Renewals fall into the last minute of their ten, each second alike. Few different delays are cheap as timers. */
const SPREAD_STEPS = 60
const SPREAD_STEP_MS = 1_000
/** A store that could not say what is to be proven is asked again after this. */
const RETRY_MS = 10_000
/** Node's timers hold 31 bits of milliseconds; a token may live longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
const NEVER = Number.POSITIVE_INFINITY

/** The moments of a connection, on the monotonic clock, and one timer for the next of them. */
export class Deadlines {
  readonly #system: System
  readonly #onDue: (due: Due) => void
  #expiresAtMs = NEVER
  #renewAtMs = NEVER
  #proveByMs: number
  #stopped = false
  #cancelTimer = (): void => {}

  /** The challenge goes out now. @param tokenEndsAtMs wall clock */
  constructor(system: System, tokenEndsAtMs: number, onDue: (due: Due) => void) {
    this.#system = system
    this.#onDue = onDue
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
    this.#cancelTimer()
  }

  #arm(): void {
    this.#cancelTimer()
    if (this.#stopped) return
    const nextAtMs = Math.min(this.#expiresAtMs, this.#renewAtMs, this.#proveByMs)
    const delayMs = Math.min(Math.max(0, nextAtMs - this.#system.monotonicMs()), LONGEST_TIMER_MS)
    this.#cancelTimer = this.#system.after(delayMs, () => this.#timeUp())
  }

  #timeUp(): void {
    const nowMs = this.#system.monotonicMs()
    if (nowMs >= this.#expiresAtMs) return this.#onDue('token-expired')
    if (nowMs >= this.#proveByMs) return this.#onDue('challenge-timeout')
    if (nowMs >= this.#renewAtMs) {
      this.#renewAtMs = NEVER
      this.#onDue('renew')
    }
    this.#arm()
  }
}
