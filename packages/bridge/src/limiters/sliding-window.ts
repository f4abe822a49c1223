export interface WindowOptions {
  /** Events allowed within any window. */
  readonly max: number
  readonly windowMs: number
  /** Limit of remembered keys; the longest idle is evicted. */
  readonly maxKeys?: number
}

/**
 * Times of one key's events, in a ring as long as the limit. Only the oldest entry decides, so a check costs
 * the same at any rate, and the memory is constant.
 */
interface Ring {
  readonly atMs: Float64Array
  oldest: number
  newestAtMs: number
  /** Time at which it was last moved to the end of the order of eviction. */
  movedAtMs: number
}

const DEFAULT_MAX_KEYS = 100_000
/** A limiter drops its expired entries once in this many checks. */
export const CHECKS_PER_SWEEP = 1_024
const MOVES_PER_WINDOW = 16

/** Counts events by key in a true sliding window: never more than `max` within any `windowMs`. */
export class SlidingWindow {
  readonly #options: WindowOptions
  readonly #rings = new Map<string, Ring>()
  #checks = 0

  constructor(options: WindowOptions) {
    this.#options = options
  }

  /** Counts one event, unless it is one too many. @param nowMs monotonic @returns whether it counted */
  take(key: string, nowMs: number): boolean {
    if (this.#options.max === 0) return false
    if (++this.#checks % CHECKS_PER_SWEEP === 0) this.#sweep(nowMs)
    const ring = this.#rings.get(key) ?? this.#add(key, nowMs)
    this.#keepInOrder(key, ring, nowMs)
    if (nowMs - (ring.atMs[ring.oldest] as number) < this.#options.windowMs) return false
    ring.atMs[ring.oldest] = nowMs
    ring.oldest = (ring.oldest + 1) % this.#options.max
    ring.newestAtMs = nowMs
    return true
  }

  /** Removes the newest event of a key, which turned out not to count. */
  giveBack(key: string): void {
    const ring = this.#rings.get(key)
    if (ring === undefined) return
    ring.oldest = (ring.oldest + this.#options.max - 1) % this.#options.max
    ring.atMs[ring.oldest] = Number.NEGATIVE_INFINITY
  }

  /** Number of further events that are allowed now. Changes nothing. */
  remaining(key: string, nowMs: number): number {
    const { max, windowMs } = this.#options
    const ring = this.#rings.get(key)
    return ring === undefined ? max : max - ring.atMs.filter((atMs) => nowMs - atMs < windowMs).length
  }

  /** Time until the next event is allowed; 0 if one is allowed now. Changes nothing. */
  leftMs(key: string, nowMs: number): number {
    const ring = this.#rings.get(key)
    if (ring === undefined) return 0
    return Math.max(0, this.#options.windowMs - (nowMs - (ring.atMs[ring.oldest] as number)))
  }

  forget(key: string): void {
    this.#rings.delete(key)
  }

  get windowMs(): number {
    return this.#options.windowMs
  }

  /** Number of remembered keys. */
  get size(): number {
    return this.#rings.size
  }

  /** Ages of the events of each key that has had one since `sinceMs`. */
  *agesMs(nowMs: number, sinceMs = Number.NEGATIVE_INFINITY): Iterable<readonly [string, readonly number[]]> {
    for (const [key, { atMs, newestAtMs }] of this.#rings) {
      const recent = atMs.filter((at) => nowMs - at < this.#options.windowMs)
      if (newestAtMs >= sinceMs && recent.length > 0) yield [key, [...recent.map((at) => nowMs - at)]]
    }
  }

  /** Restores events from their ages, as `agesMs` returned them; beyond the limit, the newest. */
  restore(key: string, agesMs: readonly number[], nowMs: number): void {
    const newestFirst = [...agesMs].sort((a, b) => a - b).slice(0, this.#options.max)
    for (const ageMs of newestFirst.reverse()) this.take(key, nowMs - Math.max(0, ageMs))
  }

  #add(key: string, nowMs: number): Ring {
    const { max, maxKeys = DEFAULT_MAX_KEYS } = this.#options
    const longestIdle = this.#rings.keys().next()
    if (this.#rings.size >= maxKeys && !longestIdle.done) this.#rings.delete(longestIdle.value)
    const ring: Ring = {
      atMs: new Float64Array(max).fill(Number.NEGATIVE_INFINITY),
      oldest: 0,
      newestAtMs: Number.NEGATIVE_INFINITY,
      movedAtMs: nowMs,
    }
    this.#rings.set(key, ring)
    return ring
  }

  /**
   * Moves an active key to the end, so that many new keys evict idle ones. Once in a fraction of the window
   * is enough, and costs next to nothing.
   */
  #keepInOrder(key: string, ring: Ring, nowMs: number): void {
    if (nowMs - ring.movedAtMs < this.#options.windowMs / MOVES_PER_WINDOW) return
    ring.movedAtMs = nowMs
    this.#rings.delete(key)
    this.#rings.set(key, ring)
  }

  #sweep(nowMs: number): void {
    for (const [key, { newestAtMs }] of this.#rings) {
      if (nowMs - newestAtMs >= this.#options.windowMs) this.#rings.delete(key)
    }
  }
}
