export interface WindowOptions {
  /** Events allowed within any window. */
  readonly max: number
  readonly windowMs: number
  /** Limit of remembered keys; the longest idle is evicted. */
  readonly maxKeys?: number
}

/** The counted events of one key. */
interface Events {
  /** Times, oldest first, at most `max`. Expired ones are dropped when the list is full. */
  readonly atMs: number[]
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
  readonly #events = new Map<string, Events>()
  #checks = 0

  constructor(options: WindowOptions) {
    this.#options = options
  }

  /** Counts one event, unless it is one too many. @param nowMs monotonic @returns whether it counted */
  take(key: string, nowMs: number): boolean {
    const { max, windowMs } = this.#options
    if (max === 0) return false
    if (++this.#checks % CHECKS_PER_SWEEP === 0) this.#sweep(nowMs)
    const events = this.#events.get(key) ?? this.#add(key, nowMs)
    this.#keepInOrder(key, events, nowMs)
    const { atMs } = events
    if (atMs.length === max) {
      const live = atMs.findIndex((at) => nowMs - at < windowMs)
      if (live === 0) return false
      atMs.splice(0, live === -1 ? max : live)
    }
    atMs.push(nowMs)
    events.newestAtMs = nowMs
    return true
  }

  /** Removes the newest event of a key, which turned out not to count. */
  giveBack(key: string): void {
    this.#events.get(key)?.atMs.pop()
  }

  /** Number of further events that are allowed now. Changes nothing. */
  remaining(key: string, nowMs: number): number {
    const { max, windowMs } = this.#options
    const { atMs = [] } = this.#events.get(key) ?? {}
    return max - atMs.filter((at) => nowMs - at < windowMs).length
  }

  /** Time until the next event is allowed; 0 if one is allowed now. Changes nothing. */
  leftMs(key: string, nowMs: number): number {
    const { max, windowMs } = this.#options
    const { atMs = [] } = this.#events.get(key) ?? {}
    const [oldest] = atMs
    return oldest === undefined || atMs.length < max ? 0 : Math.max(0, windowMs - (nowMs - oldest))
  }

  forget(key: string): void {
    this.#events.delete(key)
  }

  get windowMs(): number {
    return this.#options.windowMs
  }

  /** Number of remembered keys. */
  get size(): number {
    return this.#events.size
  }

  /** Ages of the events of each key that has had one since `sinceMs`. */
  *agesMs(nowMs: number, sinceMs = Number.NEGATIVE_INFINITY): Iterable<readonly [string, readonly number[]]> {
    for (const [key, { atMs, newestAtMs }] of this.#events) {
      const recent = atMs.filter((at) => nowMs - at < this.#options.windowMs)
      if (newestAtMs >= sinceMs && recent.length > 0) yield [key, recent.map((at) => nowMs - at)]
    }
  }

  /** Restores events from their ages, as `agesMs` returned them; beyond the limit, the newest. */
  restore(key: string, agesMs: readonly number[], nowMs: number): void {
    const newestFirst = [...agesMs].sort((a, b) => a - b).slice(0, this.#options.max)
    for (const ageMs of newestFirst.reverse()) this.take(key, nowMs - Math.max(0, ageMs))
  }

  #add(key: string, nowMs: number): Events {
    const { maxKeys = DEFAULT_MAX_KEYS } = this.#options
    const longestIdle = this.#events.keys().next()
    if (this.#events.size >= maxKeys && !longestIdle.done) this.#events.delete(longestIdle.value)
    const events: Events = { atMs: [], newestAtMs: Number.NEGATIVE_INFINITY, movedAtMs: nowMs }
    this.#events.set(key, events)
    return events
  }

  /**
   * Moves an active key to the end, so that many new keys evict idle ones. Once in a fraction of the window
   * is enough, and costs next to nothing.
   */
  #keepInOrder(key: string, events: Events, nowMs: number): void {
    if (nowMs - events.movedAtMs < this.#options.windowMs / MOVES_PER_WINDOW) return
    events.movedAtMs = nowMs
    this.#events.delete(key)
    this.#events.set(key, events)
  }

  #sweep(nowMs: number): void {
    for (const [key, { newestAtMs }] of this.#events) {
      if (nowMs - newestAtMs >= this.#options.windowMs) this.#events.delete(key)
    }
  }
}
