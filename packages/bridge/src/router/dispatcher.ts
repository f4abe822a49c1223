import { createHash } from 'node:crypto'
import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import { type CallOutcome, failed, readOutcome, type ToolCall, type WholeOutcome } from '../calls/outcome.ts'
import type { Directory } from '../directory/directory.ts'
import type {
  Client,
  ClientLogin,
  ExchangeReader,
  OpenExchange,
  Opening,
  Upstream,
} from '../exchanges/exchange.ts'
import type { InFlight } from '../exchanges/in-flight.ts'
import { type Asked, identityText } from '../gates/call-authority.ts'
import type { Caller, SecurityLog } from '../ports.ts'
import type { CallGates } from './call-gates.ts'
import { type ExchangeRecord, GatedExchange } from './gated-exchange.ts'

/** A caller whose login may be revoked. */
export type LoggedIn = Caller & { readonly login?: ClientLogin }

/** 128 bits: nobody finds two logins with one name. */
const CLIENT_BYTES = 16

/**
 * Runs the gates of every exchange from any entrance, and passes it to the machine that has its server. Logs it and its end; the caller gets the end
 * once that is written. `call` is the short form of an exchange.
 */
export class Dispatcher {
  readonly #directory: Directory
  readonly #gates: CallGates
  readonly #log: SecurityLog
  readonly #inFlight: InFlight

  constructor(directory: Directory, gates: CallGates, log: SecurityLog, inFlight: InFlight) {
    this.#directory = directory
    this.#gates = gates
    this.#log = log
    this.#inFlight = inFlight
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
    const recheck = this.#gates.recheck(caller, askedBy(call))
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

  /** Runs a call and returns its whole outcome as a promise that never rejects. Aborting the signal cancels the call. */
  run(caller: Caller, call: ToolCall, signal?: AbortSignal): Promise<WholeOutcome> {
    if (signal?.aborted) return Promise.resolve(failed(new BridgeError('call_cancelled')))
    return new Promise((resolve) => {
      let cancel = (): void => {}
      const onAbort = (): void => cancel()
      signal?.addEventListener('abort', onAbort, { once: true })
      cancel = this.call(caller, call, (outcome) =>
        readOutcome(outcome, (whole) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(whole)
        }),
      )
    })
  }

  /**
   * [EXCH.1] Opens an exchange of this caller. `reader.ended` is called exactly once, also for a refusal. Its `id`
   * is known at once, unless a blocked caller waits for the store.
   */
  open(caller: LoggedIn, opening: Opening, reader: ExchangeReader): OpenExchange {
    const exchange = new GatedExchange(reader, this.#recordOf(caller, opening))
    const recheck = this.#gates.recheck(caller, opening)
    if (recheck === undefined) this.#open(caller, opening, exchange)
    else void recheck.then(() => this.#open(caller, opening, exchange))
    return exchange
  }

  /** [SESS.9] Ends a session of this caller, also at machines that are away. */
  sessionEnded(caller: LoggedIn, id: string): void {
    this.#directory.sessionEnded(clientOf(caller), id)
  }

  #call(
    caller: Caller,
    call: ToolCall,
    settle: (outcome: CallOutcome) => void,
    obstacle: ErrorCode | undefined,
  ): () => void {
    const refusal = this.#gates.refusal(caller, askedBy(call)) ?? (obstacle && new BridgeError(obstacle))
    if (refusal !== undefined) {
      this.#log.afterWritten(() => settle(failed(refusal)))
      return () => {}
    }
    const found = this.#upstreamFor(caller, call)
    if (found instanceof BridgeError) {
      settle(failed(found))
      return () => {}
    }
    let requestId: string | undefined
    this.#inFlight.began()
    const sent = found.call(call, (outcome) => {
      if (outcome.kind === 'large') outcome.result.whenDone(() => this.#inFlight.ended())
      else this.#inFlight.ended()
      if (requestId === undefined) return settle(outcome)
      const reason = outcome.kind === 'failed' ? outcome.error.code : undefined
      this.#recordResult(caller, requestId, outcome.kind === 'result' || outcome.kind === 'large', reason)
      this.#log.afterWritten(() => settle(outcome))
    })
    requestId = sent.id
    if (requestId !== undefined) this.#recordCall(caller, call.serverName, call.toolName, requestId)
    return () => sent.cancel()
  }

  #open(caller: LoggedIn, opening: Opening, exchange: GatedExchange): void {
    if (exchange.isOver) return
    const found = this.#gates.refusal(caller, opening) ?? this.#upstreamFor(caller, opening)
    if (found instanceof BridgeError) return exchange.refuse(found)
    const requestId = exchange.send((reader) => found.open(opening, clientOf(caller), reader))
    if (requestId === undefined) return
    const { kind, method, serverName, name } = opening
    if (method === 'tools/call') return this.#recordCall(caller, serverName, name, requestId)
    const { userId, ip } = caller
    this.#log.logSecurityEvent(
      { event: 'exchange_opened', userId, ip, serverName, kind, method, requestId },
      this.#inFlight.count > 1,
    )
  }

  #upstreamFor({ userId }: Caller, { serverName }: { readonly serverName: string }): Upstream | BridgeError {
    return this.#inFlight.isDraining
      ? new BridgeError('shutting_down')
      : this.#directory.find(userId, serverName)
  }

  #recordOf(caller: Caller, { kind, method }: Opening): ExchangeRecord {
    return {
      ended: (requestId, success, reason) => {
        if (method === 'tools/call') this.#recordResult(caller, requestId, success, reason)
        else if (kind === 'request') this.#recordEnd(caller, requestId, success, reason)
      },
      afterWritten: (run) => this.#log.afterWritten(run),
    }
  }

  #recordCall(
    { userId, ip }: Caller,
    serverName: string,
    toolName: string | undefined,
    requestId: string,
  ): void {
    this.#log.logSecurityEvent(
      { event: 'ws_tool_execution_request', userId, ip, serverName, toolName, requestId },
      this.#inFlight.count > 1,
    )
  }

  #recordResult(
    { userId, ip }: Caller,
    requestId: string,
    success: boolean,
    reason: string | undefined,
  ): void {
    this.#log.logSecurityEvent(
      { event: 'ws_tool_execution_result', userId, ip, requestId, success, reason },
      this.#inFlight.count > 0,
    )
  }

  #recordEnd({ userId, ip }: Caller, requestId: string, success: boolean, reason: string | undefined): void {
    this.#log.logSecurityEvent(
      { event: 'exchange_ended', userId, ip, requestId, success, reason },
      this.#inFlight.count > 0,
    )
  }
}

function askedBy({ serverName, toolName }: ToolCall): Asked {
  return { serverName, method: 'tools/call', name: toolName }
}

/** A caller's login with its scopes, under the name that it has at its own machines. */
function clientOf(caller: LoggedIn): Client {
  const digest = createHash('sha256').update(identityText(caller)).digest()
  return { name: digest.toString('base64url', 0, CLIENT_BYTES), login: caller.login }
}
