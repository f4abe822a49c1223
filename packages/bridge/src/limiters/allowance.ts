/** What was used without being asked for delays its principal by no more than this. */
export const MAX_DEBT_MS = 5_000

export interface AllowanceLimit {
  /** Units that may be spent at once. */
  readonly units: number
  /** An empty allowance is full again after this. */
  readonly refillMs: number
  /** A message of more bytes takes several units. */
  readonly bytesPerUnit: number
}

/** Of each user at `/mcp`: messages that no rate limit of calls counts. 600 at once, then ten a second. */
export const MESSAGE_ALLOWANCE: AllowanceLimit = { units: 600, refillMs: 60_000, bytesPerUnit: 65_536 }
/** Of each agent's connection: frames that no rate limit of calls counts. 58 catalogs of 1 MiB, then one a second. */
export const FRAME_ALLOWANCE: AllowanceLimit = { units: 60_000, refillMs: 60_000, bytesPerUnit: 1_024 }

/** How much of an allowance a message of this size spends. */
export function unitsOf(sizeBytes: number, { bytesPerUnit }: AllowanceLimit): number {
  return Math.max(1, Math.ceil(sizeBytes / bytesPerUnit))
}

/**
 * An allowance that refills evenly (the generic cell rate algorithm, ITU-T I.371). It is one number, whatever the
 * limit, so it can be kept for every principal. Unlike `SlidingWindow` it delays and never blocks.
 */
export class Allowance {
  readonly #limit: AllowanceLimit
  /** When it is full again. */
  #fullAtMs = Number.NEGATIVE_INFINITY

  constructor(limit: AllowanceLimit) {
    this.#limit = limit
  }

  /** Spends the units if they are there. @param nowMs monotonic @returns how long until they are; 0 if spent */
  take(units: number, nowMs: number): number {
    const waitMs = this.leftMs(units, nowMs)
    if (waitMs === 0) this.#fullAtMs = this.#after(units, nowMs)
    return waitMs
  }

  /** Spends what has been used already, also what is not there. @param nowMs monotonic */
  charge(units: number, nowMs: number): void {
    this.#fullAtMs = Math.min(this.#after(units, nowMs), nowMs + this.#limit.refillMs + MAX_DEBT_MS)
  }

  /** How long until so many units are there; 0 if they are. Spends nothing. @param nowMs monotonic */
  leftMs(units: number, nowMs: number): number {
    return Math.max(0, this.#after(units, nowMs) - nowMs - this.#limit.refillMs)
  }

  /** Whether nothing is missing from it. @param nowMs monotonic */
  isFull(nowMs: number): boolean {
    return this.#fullAtMs <= nowMs
  }

  #after(units: number, nowMs: number): number {
    const { units: all, refillMs } = this.#limit
    return Math.max(this.#fullAtMs, nowMs) + (Math.min(units, all) * refillMs) / all
  }
}
