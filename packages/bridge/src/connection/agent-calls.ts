import {
  BridgeError,
  type ErrorCode,
  encode,
  encodeToolExecute,
  isJson,
  isName,
  limits,
  type OutgoingFrame,
  outgoingCall,
  type ProtocolVersion,
  type ToolResultFrame,
} from '@bridgekeeper/protocol'
import { type CallOutcome, failed, outcomeOf, type ToolCall } from '../calls/outcome.ts'
import { validateMessageSize } from '../gates/agent-socket.ts'
import type { System } from '../ports.ts'
import type { AgentSocket, ConnectionOptions } from './connection-listener.ts'
import type { DataLink } from './data-link.ts'
import { PendingCalls } from './pending-calls.ts'
import { NOT_SENT, type SentCall } from './ready-connection.ts'

/** Calls that were sent to one agent, until each is answered, cancelled or timed out. */
export class AgentCalls {
  readonly #link: DataLink
  readonly #socket: AgentSocket
  readonly #maxPending: number
  readonly #pending: PendingCalls
  readonly #abandoned = new AbandonedCalls()
  #unexpectedResults = 0

  constructor(
    link: DataLink,
    socket: AgentSocket,
    system: System,
    { callTimeoutMs, maxPendingCalls }: ConnectionOptions,
  ) {
    this.#link = link
    this.#socket = socket
    this.#maxPending = maxPendingCalls
    this.#pending = new PendingCalls(system, callTimeoutMs, (id) => this.#abandon(id))
  }

  /** Sends a call. `settle` is called exactly once. */
  send(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    if (this.#pending.size >= this.#maxPending) return notSent(settle, new BridgeError('too_many_calls'))
    const id = this.#pending.add(settle)
    const frame = callFrame(id, call, this.#link.version)
    if (frame instanceof BridgeError) {
      this.#pending.settle(id, failed(frame))
      return NOT_SENT
    }
    if (frame.payload === undefined) this.#socket.write(frame.head)
    else this.#link.sendLarge(frame)
    return { id, cancel: () => this.#cancel(id) }
  }

  /** Settles the call of a result. @returns whether the result was expected */
  answered(result: ToolResultFrame): boolean {
    const { id } = result
    const isExpected = this.#settle(result) || this.#abandoned.take(id)
    if (!isExpected) this.#recordUnexpected(id)
    return isExpected
  }

  #settle(result: ToolResultFrame): boolean {
    const { id } = result
    if (result.success && result.result === undefined) return this.#begin(id, result.bytes)
    this.#link.drop(id)
    return this.#pending.settle(id, outcomeOf(result, this.#link.version))
  }

  /** [BIG.9] Settles a call whose result arrives in chunks. It lasts until all are there. */
  #begin(id: string, sizeBytes: number): boolean {
    const isOpen = this.#pending.isWaiting(id)
    const result = isOpen ? this.#link.expect(id, sizeBytes, true) : undefined
    if (result === undefined) return false
    result.onChunk = () => this.#pending.touch(id)
    result.whenDone(() => void this.#pending.settle(id, ARRIVED))
    this.#pending.begin(id, { kind: 'large', result })
    return true
  }

  /** [SIZE.2] [CALL.9] [BIG.5] Fails the call of a refused result at once, and cuts its payloads. */
  answerRefused(id: string, code: ErrorCode): void {
    this.#abandoned.take(id)
    if (!this.#pending.has(id)) return
    this.#link.drop(id)
    this.#pending.settle(id, failed(new BridgeError(code)))
  }

  /** Fails all calls when the connection has ended; whether they ran is unknown. */
  failAll(): void {
    this.#pending.failAll('outcome_unknown')
  }

  #cancel(id: string): void {
    // Called at the end of every request. Most calls are settled by then, and need no error.
    if (!this.#pending.has(id)) return
    this.#pending.settle(id, failed(new BridgeError('call_cancelled')))
    this.#abandon(id)
  }

  /** [CALL.10] Cancels the call on the agent, whose answer may already be on its way. */
  #abandon(id: string): void {
    this.#abandoned.add(id)
    this.#link.drop(id)
    const { version, isReady } = this.#link
    if (version === 'v2' && isReady) this.#socket.write(encode({ type: 'tool_cancel', id }))
  }

  /** [CALL.10] Logs an unexpected result; a flood of them increasingly rarely. */
  #recordUnexpected(requestId: string): void {
    const count = ++this.#unexpectedResults
    const isPowerOfTwo = (count & (count - 1)) === 0
    if (isPowerOfTwo) this.#link.record({ event: 'ws_unexpected_result', requestId })
  }
}

/** Its caller has the outcome already. */
const ARRIVED = failed(new BridgeError('call_cancelled'))

/** Fails a call before it is sent. */
export function notSent(settle: (outcome: CallOutcome) => void, error: BridgeError): SentCall {
  settle(failed(error))
  return NOT_SENT
}

/**
 * Encodes a call for an agent.
 * @returns [CALL.6] the error if the agent would have to refuse it, so that its caller need not wait
 */
export function callFrame(id: string, call: ToolCall, version: ProtocolVersion): OutgoingFrame | BridgeError {
  const { serverName, toolName, rawArgs } = call
  const rawMeta = version === 'v1' ? undefined : call.rawMeta
  if (!isName(serverName)) return new BridgeError('server_not_found')
  if (!isName(toolName)) return new BridgeError('tool_name_invalid')
  const named = { id, serverName, toolName, rawArgs, rawMeta }
  const frame = version === 'v1' ? { id, head: encodeToolExecute(named), isLast: true } : outgoingCall(named)
  if (rawArgs.length > limits.payloadBytes || !validateMessageSize(frame.head.length).allowed)
    return new BridgeError('arguments_too_large')
  return call.bounded || isJson(rawArgs) ? frame : new BridgeError('arguments_invalid')
}

/** Ids remembered per connection: five minutes of cancelled calls at the default rate limit. */
export const MAX_ABANDONED_CALLS = 512

/** Calls that were cancelled or timed out. The agent may still answer each of them once; the oldest are evicted. */
class AbandonedCalls {
  readonly #ids = new Set<string>()

  add(id: string): void {
    this.#ids.add(id)
    const [oldest] = this.#ids
    if (this.#ids.size > MAX_ABANDONED_CALLS && oldest !== undefined) this.#ids.delete(oldest)
  }

  /** @returns whether an answer to this call was still expected; the next one is not */
  take(id: string): boolean {
    return this.#ids.delete(id)
  }
}
