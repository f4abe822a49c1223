import { type Allowed, allow, type Denied, denyFor } from '../gates/verdict.ts'
import type { Blocklist } from './blocklist.ts'
import { SlidingWindow } from './sliding-window.ts'

export interface RateLimit {
  /** Calls allowed within any window. */
  readonly maxCalls: number
  readonly windowMs: number
  /** Length of the block after the limit was exceeded. */
  readonly blockMs: number
}

export interface RateLimits {
  /** Per user, over all callers. */
  readonly user: RateLimit
  /** Per login session of a token; none by default. */
  readonly token?: RateLimit | undefined
  /** Per user and tool, by `server/tool`. */
  readonly tools?: Readonly<Record<string, RateLimit>> | undefined
}

export const DEFAULT_RATE_LIMIT: RateLimit = { maxCalls: 100, windowMs: 60_000, blockMs: 900_000 }

/** Keys that the limits count by. */
export interface CountedCall {
  readonly userId: string
  readonly sessionId: string
  readonly serverName: string
  /** `undefined` for a request that is not a call of a tool. */
  readonly toolName: string | undefined
}

export interface RateLimitStatus {
  /** Calls left in the current window; none while blocked. */
  readonly remaining: number
  /** Whole seconds until the next allowed call; 0 if allowed now. */
  readonly retryAfterSeconds: number
}

/** A refusal, and the limit that caused it. */
export interface RateDenied extends Denied {
  readonly limit: 'user' | 'token' | 'tool'
  readonly key: string
  /** Whether this refusal began the block. */
  readonly begins: boolean
}

interface Limiter {
  readonly limit: RateLimit
  readonly window: SlidingWindow
}

/** A limit on a call, and the key that it counts the call by. */
interface AppliedLimit {
  readonly name: RateDenied['limit']
  readonly limiter: Limiter
  readonly key: string
}

/**
 * Layer 6: [RATE.1] at most `maxCalls` in any `windowMs`, a true sliding window; [RATE.2] exceeding it blocks
 * for `blockMs`, also after a disconnect.
 *
 * Threat: a caller with a valid token floods a user's machine. Concurrent calls and connections have their
 * own bounds.
 */
export class RateLimiter {
  readonly #blocks: Blocklist
  readonly #user: Limiter
  readonly #token: Limiter | undefined
  readonly #tools: ReadonlyMap<string, Limiter>

  constructor(blocks: Blocklist, limits: RateLimits = { user: DEFAULT_RATE_LIMIT }) {
    this.#blocks = blocks
    this.#user = limiter(limits.user)
    this.#token = limits.token === undefined ? undefined : limiter(limits.token)
    this.#tools = new Map(Object.entries(limits.tools ?? {}).map(([tool, limit]) => [tool, limiter(limit)]))
  }

  /** Counts a call and returns whether it may run. @param nowMs monotonic */
  checkToolExecutionRateLimit(call: CountedCall, nowMs: number): Allowed<void> | RateDenied {
    for (const applied of this.#limitsOf(call)) {
      const refused = this.#take(applied, nowMs)
      if (refused !== undefined) return refused
    }
    return ALLOWED
  }

  /** Keys of the blocks that refuse this call. Counts nothing. @param nowMs monotonic */
  blockedKeys(call: CountedCall, nowMs: number): readonly string[] {
    return this.#limitsOf(call)
      .map(({ key }) => key)
      .filter((key) => this.#blocks.leftMs('calls', key, nowMs) > 0)
  }

  /** The user's current state. Counts and changes nothing. @param nowMs monotonic */
  getRateLimitStatus(userId: string, nowMs: number): RateLimitStatus {
    const leftMs = this.#blocks.leftMs('calls', userId, nowMs)
    if (leftMs > 0) return { remaining: 0, retryAfterSeconds: Math.ceil(leftMs / 1_000) }
    return { remaining: this.#user.window.remaining(userId, nowMs), retryAfterSeconds: 0 }
  }

  /** Clears calls and block of a key. Only an operator does this, never a disconnect. */
  resetRateLimit(key: string): void {
    this.#blocks.lift('calls', key)
    for (const { window } of this.#limiters()) window.forget(key)
  }

  /** The users' windows, for a store that keeps them over a restart. */
  get userWindow(): SlidingWindow {
    return this.#user.window
  }

  /** The limits on this call, the narrowest first. */
  #limitsOf(call: CountedCall): readonly AppliedLimit[] {
    const { userId, sessionId } = call
    const applied: AppliedLimit[] = []
    const tool = toolKey(call)
    const limiter = this.#tools.get(tool)
    if (limiter !== undefined) applied.push({ name: 'tool', limiter, key: `${userId} ${tool}` })
    if (this.#token !== undefined) {
      applied.push({ name: 'token', limiter: this.#token, key: `${userId} ${sessionId}` })
    }
    applied.push({ name: 'user', limiter: this.#user, key: userId })
    return applied
  }

  #take({ name, limiter, key }: AppliedLimit, nowMs: number): RateDenied | undefined {
    const leftMs = this.#blocks.leftMs('calls', key, nowMs)
    if (leftMs > 0) return refusal(name, key, leftMs, false)
    const { limit, window } = limiter
    if (window.take(key, nowMs)) return undefined
    this.#blocks.add({ kind: 'calls', key, untilMs: nowMs + limit.blockMs })
    return refusal(name, key, limit.blockMs, true)
  }

  *#limiters(): Iterable<Limiter> {
    yield this.#user
    if (this.#token !== undefined) yield this.#token
    yield* this.#tools.values()
  }
}

const ALLOWED = allow(undefined)

/** The tool as settings name it; empty for a request that is not a call of a tool. */
function toolKey({ serverName, toolName }: CountedCall): string {
  return toolName === undefined ? '' : `${serverName}/${toolName}`
}

function limiter(limit: RateLimit): Limiter {
  return { limit, window: new SlidingWindow({ max: limit.maxCalls, windowMs: limit.windowMs }) }
}

function refusal(limit: RateDenied['limit'], key: string, leftMs: number, begins: boolean): RateDenied {
  return { ...denyFor('rate_limit_exceeded', leftMs), limit, key, begins }
}
