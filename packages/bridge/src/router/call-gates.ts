import { BridgeError } from '@bridgekeeper/protocol'
import { type Asked, exchangeAuthorityGate, ruleOf } from '../gates/call-authority.ts'
import { denialError } from '../gates/verdict.ts'
import type { CountedCall, RateDenied, RateLimiter } from '../limiters/rate-limit.ts'
import { Sampler } from '../limiters/sampler.ts'
import type { Caller, SecurityLog, System } from '../ports.ts'

/** Blocks of callers who went over a limit, as they outlive the node. */
export interface CallBlocks {
  /** @param untilMs monotonic */
  began(key: string, untilMs: number): void
  /** [BLOCK.5] Resolves once the store was asked whether the block was lifted; `undefined` if it need not be. */
  recheck(key: string): Promise<void> | undefined
}

/**
 * The gates of every exchange: the log must be writable, the token must allow the method, and the rate limit must
 * not be exceeded. Logs what it refuses.
 */
export class CallGates {
  readonly #limiter: RateLimiter
  readonly #log: SecurityLog
  readonly #system: System
  readonly #blocks: CallBlocks
  readonly #sampler = new Sampler()

  constructor(limiter: RateLimiter, log: SecurityLog, system: System, blocks: CallBlocks) {
    this.#limiter = limiter
    this.#log = log
    this.#system = system
    this.#blocks = blocks
  }

  /** [BLOCK.5] A promise if the caller is blocked and the store must be asked whether that still holds. */
  recheck(caller: Caller, asked: Asked): Promise<unknown> | undefined {
    if (!ruleOf(asked.method).isCounted) return undefined
    const rechecks = this.#limiter
      .blockedKeys(counted(caller, asked), this.#system.monotonicMs())
      .flatMap((key) => this.#blocks.recheck(key) ?? [])
    return rechecks.length === 0 ? undefined : Promise.all(rechecks)
  }

  /** Counts the exchange, unless a gate refuses it before. @returns the refusal, if any */
  refusal(caller: Caller, asked: Asked): BridgeError | undefined {
    if (!this.#log.writable) return new BridgeError('log_unavailable')
    const authority = exchangeAuthorityGate(caller.scopes, asked)
    if (!authority.allowed) {
      this.#recordForbidden(caller, asked)
      return denialError(authority)
    }
    if (!ruleOf(asked.method).isCounted) return undefined
    const nowMs = this.#system.monotonicMs()
    const rate = this.#limiter.checkToolExecutionRateLimit(counted(caller, asked), nowMs)
    if (rate.allowed) return undefined
    this.#recordLimit(caller, rate, nowMs)
    return denialError(rate)
  }

  #recordForbidden({ userId, ip }: Caller, { serverName, method, name }: Asked): void {
    const sampled = this.#sampler.take(`forbidden ${userId}`, this.#system.monotonicMs())
    if (sampled === undefined) return
    const what = method === 'tools/call' ? { toolName: name } : { method }
    this.#log.logSecurityEvent({ event: 'call_forbidden', userId, ip, serverName, ...what, ...sampled })
  }

  #recordLimit({ userId, ip }: Caller, rate: RateDenied, nowMs: number): void {
    const { limit, key, begins, retryAfterSeconds: retryAfter = 0 } = rate
    if (begins) this.#blocks.began(key, nowMs + retryAfter * 1_000)
    const sampled = this.#sampler.take(`limited ${key}`, nowMs)
    if (sampled === undefined) return
    this.#log.logSecurityEvent({
      event: 'ws_rate_limit_exceeded',
      userId,
      ip,
      retryAfter,
      limit,
      ...sampled,
    })
  }
}

function counted({ userId, sessionId }: Caller, { serverName, method, name }: Asked): CountedCall {
  return { userId, sessionId, serverName, toolName: method === 'tools/call' ? name : undefined }
}
