/** Longest delay that unrequested use can cause its principal. */
export const MAX_DEBT_MS = 5_000

export interface AllowanceLimit {
  /** Units available at once. */
  readonly units: number
  /** Time in which an empty allowance is full again. */
  readonly refillMs: number
  /** Bytes above which a message uses several units. */
  readonly bytesPerUnit: number
}

/** Messages of one user at `/mcp` that no rate limit of calls counts: 600 at once, then ten a second. */
export const MESSAGE_ALLOWANCE: AllowanceLimit = { units: 600, refillMs: 60_000, bytesPerUnit: 65_536 }
/** Bodies over one message of one user: 256 MiB at once, then 4 MiB a second. */
export const LARGE_ALLOWANCE: AllowanceLimit = { units: 256, refillMs: 60_000, bytesPerUnit: 1_048_576 }
/**
 * Frames of one agent's connection that no rate limit of calls counts: 58 catalogs of 1 MiB, then one a
 * second.
 */
export const FRAME_ALLOWANCE: AllowanceLimit = { units: 60_000, refillMs: 60_000, bytesPerUnit: 1_024 }

/**
 * An evenly refilling allowance (generic cell rate algorithm, ITU-T I.371). It is a single number, so every
 * principal can have one. Unlike `SlidingWindow` it delays and never blocks.
 */
export class Allowance {
  readonly #limit: AllowanceLimit
  /** Time at which it is full again. */
  #fullAtMs = Number.NEGATIVE_INFINITY

  constructor(limit: AllowanceLimit) {
    this.#limit = limit
  }

  /** Units that a message of this size uses. */
  unitsOf(sizeBytes: number): number {
    return Math.max(1, Math.ceil(sizeBytes / this.#limit.bytesPerUnit))
  }

  /**
   * Takes the units if available. @param nowMs monotonic @returns time until they are available; 0 if taken
   */
  take(units: number, nowMs: number): number {
    const waitMs = this.leftMs(units, nowMs)
    if (waitMs === 0) this.#fullAtMs = this.#after(units, nowMs)
    return waitMs
  }

  /** Takes units that are already used, even if unavailable. @param nowMs monotonic */
  charge(units: number, nowMs: number): void {
    this.#fullAtMs = Math.min(this.#after(units, nowMs), nowMs + this.#limit.refillMs + MAX_DEBT_MS)
  }

  /** Time until this many units are available; 0 if they are. Takes none. @param nowMs monotonic */
  leftMs(units: number, nowMs: number): number {
    return Math.max(0, this.#after(units, nowMs) - nowMs - this.#limit.refillMs)
  }

  /** Whether the allowance is full. @param nowMs monotonic */
  isFull(nowMs: number): boolean {
    return this.#fullAtMs <= nowMs
  }

  #after(units: number, nowMs: number): number {
    const { units: all, refillMs } = this.#limit
    return Math.max(this.#fullAtMs, nowMs) + (Math.min(units, all) * refillMs) / all
  }
}
