import { BridgeError } from '@bridgekeeper/protocol'
import { type CallOutcome, failed, type ToolCall } from '../calls/outcome.ts'
import { callAuthorityGate } from '../gates/call-authority.ts'
import type { RateDenied, RateLimiter } from '../gates/rate-limit.ts'
import { Sampler } from '../gates/sampler.ts'
import { denialError } from '../gates/verdict.ts'
import type { Caller, SecurityLog, System } from '../ports.ts'
import type { Router } from './router.ts'

/**
 * The gates of every call, wherever it comes from, before it is routed: the log must be writable, the
 * token must allow the tool, and the rate limit must hold. Puts each call and its end on record; the
 * caller gets the outcome once that is written.
 */
export class Dispatcher {
  readonly #router: Router
  readonly #limiter: RateLimiter
  readonly #log: SecurityLog
  readonly #system: System
  readonly #onBlock: (key: string, untilMs: number) => void
  readonly #sampler = new Sampler()

  constructor(
    router: Router,
    limiter: RateLimiter,
    log: SecurityLog,
    system: System,
    onBlock: (key: string, untilMs: number) => void,
  ) {
    this.#router = router
    this.#limiter = limiter
    this.#log = log
    this.#system = system
    this.#onBlock = onBlock
  }

  /** Runs a call of this caller. `settle` is called exactly once. @returns cancels the call */
  call(caller: Caller, call: ToolCall, settle: (outcome: CallOutcome) => void): () => void {
    const refusal = this.#refusal(caller, call)
    if (refusal !== undefined) {
      this.#log.afterWritten(() => settle(failed(refusal)))
      return () => {}
    }
    const { userId, ip } = caller
    const { serverName, toolName } = call
    let requestId: string | undefined
    const sent = this.#router.call(userId, call, (outcome) => {
      if (requestId === undefined) return settle(outcome)
      this.#recordEnd(caller, requestId, outcome)
      this.#log.afterWritten(() => settle(outcome))
    })
    requestId = sent.id
    if (requestId !== undefined) {
      this.#log.logSecurityEvent(
        { event: 'ws_tool_execution_request', userId, ip, serverName, toolName, requestId },
        this.#router.inFlight > 1,
      )
    }
    return () => sent.cancel()
  }

  /** The same, as a promise that never rejects; aborting the signal cancels the call. */
  run(caller: Caller, call: ToolCall, signal?: AbortSignal): Promise<CallOutcome> {
    if (signal?.aborted) return Promise.resolve(failed(new BridgeError('call_cancelled')))
    return new Promise((resolve) => {
      let cancel = (): void => {}
      const onAbort = (): void => cancel()
      signal?.addEventListener('abort', onAbort, { once: true })
      cancel = this.call(caller, call, (outcome) => {
        signal?.removeEventListener('abort', onAbort)
        resolve(outcome)
      })
    })
  }

  /**
   * Why no call of this caller can pass now, whatever it calls. A caller who may call is not counted;
   * one who may not has gone over the limit.
   */
  obstacle(caller: Caller): BridgeError | undefined {
    if (!this.#log.writable) return new BridgeError('log_unavailable')
    const { remaining } = this.#limiter.getRateLimitStatus(caller.userId, this.#system.monotonicMs())
    return remaining > 0 ? undefined : this.#rateRefusal(caller, { serverName: '', toolName: '' })
  }

  #refusal({ userId, sessionId, scopes, ip }: Caller, call: ToolCall): BridgeError | undefined {
    const { serverName, toolName } = call
    if (!this.#log.writable) return new BridgeError('log_unavailable')
    const authority = callAuthorityGate(scopes, serverName, toolName)
    if (!authority.allowed) {
      const suppressed = this.#passedOver(`forbidden ${userId}`, this.#system.monotonicMs())
      if (suppressed !== undefined)
        this.#log.logSecurityEvent({
          event: 'call_forbidden',
          userId,
          ip,
          serverName,
          toolName,
          ...suppressed,
        })
      return denialError(authority)
    }
    return this.#rateRefusal({ userId, sessionId, ip }, call)
  }

  #rateRefusal(
    { userId, sessionId, ip }: Caller,
    { serverName, toolName }: Pick<ToolCall, 'serverName' | 'toolName'>,
  ): BridgeError | undefined {
    const nowMs = this.#system.monotonicMs()
    const counted = { userId, sessionId, serverName, toolName }
    const rate = this.#limiter.checkToolExecutionRateLimit(counted, nowMs)
    if (rate.allowed) return undefined
    this.#recordLimit(userId, ip, rate, nowMs)
    return denialError(rate)
  }

  #recordLimit(userId: string, ip: string | undefined, rate: RateDenied, nowMs: number): void {
    const { limit, key, begins, retryAfterSeconds: retryAfter = 0 } = rate
    if (begins) this.#onBlock(key, nowMs + retryAfter * 1_000)
    const suppressed = this.#passedOver(`limited ${key}`, nowMs)
    if (suppressed === undefined) return
    this.#log.logSecurityEvent({
      event: 'ws_rate_limit_exceeded',
      userId,
      ip,
      retryAfter,
      limit,
      ...suppressed,
    })
  }

  /** What the next line of this kind says of those before it; `undefined` where it is passed over too. */
  #passedOver(key: string, nowMs: number): { readonly suppressed?: number } | undefined {
    const count = this.#sampler.take(key, nowMs)
    if (count === undefined) return undefined
    return count === 0 ? {} : { suppressed: count }
  }

  #recordEnd({ userId, ip }: Caller, requestId: string, outcome: CallOutcome): void {
    const success = outcome.kind === 'result'
    const reason = outcome.kind === 'failed' ? outcome.error.code : undefined
    this.#log.logSecurityEvent(
      { event: 'ws_tool_execution_result', userId, ip, requestId, success, reason },
      this.#router.inFlight > 0,
    )
  }
}
