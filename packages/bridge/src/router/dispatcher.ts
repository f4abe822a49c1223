import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import { type CallOutcome, failed, type ToolCall } from '../calls/outcome.ts'
import { callAuthorityGate } from '../gates/call-authority.ts'
import { denialError } from '../gates/verdict.ts'
import type { RateDenied, RateLimiter } from '../limiters/rate-limit.ts'
import { Sampler } from '../limiters/sampler.ts'
import type { Caller, SecurityLog, System } from '../ports.ts'
import type { Router } from './router.ts'

type CalledTool = Pick<ToolCall, 'serverName' | 'toolName'>

/** Blocks of callers who went over a limit, as they outlive the node. */
export interface CallBlocks {
  /** @param untilMs monotonic */
  began(key: string, untilMs: number): void
  /** [BLOCK.5] Resolves once the store was asked whether the block was lifted; `undefined` if it need not be. */
  recheck(key: string): Promise<void> | undefined
}

/**
 * Runs the gates of every call from any entrance, and routes it: the log must be writable, the token must
 * allow the tool, and the rate limit must not be exceeded. Logs the call and its end; the caller gets the
 * outcome once the end is written.
 */
export class Dispatcher {
  readonly #router: Router
  readonly #limiter: RateLimiter
  readonly #log: SecurityLog
  readonly #system: System
  readonly #blocks: CallBlocks
  readonly #sampler = new Sampler()

  constructor(router: Router, limiter: RateLimiter, log: SecurityLog, system: System, blocks: CallBlocks) {
    this.#router = router
    this.#limiter = limiter
    this.#log = log
    this.#system = system
    this.#blocks = blocks
  }

  /**
   * Runs a call of this caller. `settle` is called exactly once.
   * @param obstacle why the caller's side cannot run it; the call counts all the same
   * @returns cancels the call
   */
  call(
    caller: Caller,
    call: ToolCall,
    settle: (outcome: CallOutcome) => void,
    obstacle?: ErrorCode,
  ): () => void {
    const recheck = this.#recheck(caller, call)
    if (recheck === undefined) return this.#call(caller, call, settle, obstacle)
    let cancel: (() => void) | undefined
    let isCancelled = false
    void recheck.then(() => {
      if (isCancelled) settle(failed(new BridgeError('call_cancelled')))
      else cancel = this.#call(caller, call, settle, obstacle)
    })
    return () => {
      isCancelled = true
      cancel?.()
    }
  }

  #call(
    caller: Caller,
    call: ToolCall,
    settle: (outcome: CallOutcome) => void,
    obstacle: ErrorCode | undefined,
  ): () => void {
    const refusal = this.#refusal(caller, call) ?? (obstacle && new BridgeError(obstacle))
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

  /** [BLOCK.5] A promise if the caller is blocked and the store must be asked whether that still holds. */
  #recheck(
    { userId, sessionId }: Caller,
    { serverName, toolName }: CalledTool,
  ): Promise<unknown> | undefined {
    const counted = { userId, sessionId, serverName, toolName }
    const rechecks = this.#limiter
      .blockedKeys(counted, this.#system.monotonicMs())
      .flatMap((key) => this.#blocks.recheck(key) ?? [])
    return rechecks.length === 0 ? undefined : Promise.all(rechecks)
  }

  /** Runs a call and returns its outcome as a promise that never rejects. Aborting the signal cancels the call. */
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

  #refusal({ userId, sessionId, scopes, ip }: Caller, call: ToolCall): BridgeError | undefined {
    const { serverName, toolName } = call
    if (!this.#log.writable) return new BridgeError('log_unavailable')
    const authority = callAuthorityGate(scopes, serverName, toolName)
    if (!authority.allowed) {
      const sampled = this.#sampler.take(`forbidden ${userId}`, this.#system.monotonicMs())
      if (sampled !== undefined)
        this.#log.logSecurityEvent({
          event: 'call_forbidden',
          userId,
          ip,
          serverName,
          toolName,
          ...sampled,
        })
      return denialError(authority)
    }
    return this.#rateRefusal({ userId, sessionId, ip }, call)
  }

  #rateRefusal(
    { userId, sessionId, ip }: Caller,
    { serverName, toolName }: CalledTool,
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

  #recordEnd({ userId, ip }: Caller, requestId: string, outcome: CallOutcome): void {
    const success = outcome.kind === 'result'
    const reason = outcome.kind === 'failed' ? outcome.error.code : undefined
    this.#log.logSecurityEvent(
      { event: 'ws_tool_execution_result', userId, ip, requestId, success, reason },
      this.#router.inFlight > 0,
    )
  }
}
