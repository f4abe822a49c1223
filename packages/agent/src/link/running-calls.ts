import {
  cleanText,
  codes,
  type ErrorCode,
  encodeToolFailure,
  encodeToolResult,
  limits,
  type OutgoingFrame,
  outgoingResult,
  type ProtocolVersion,
  type RawJson,
  type ToolExecuteFrame,
} from '@bridgekeeper/protocol'
import type { LinkEvent } from '../events.ts'
import type { LocalOutcome, LocalTools } from '../local-tools.ts'
import type { System } from '../system.ts'

/** Calls in flight per connection. Bounds this machine's memory even if the bridge exceeds its own limits. */
export const MAX_RUNNING = 512
/** Sum of the arguments of all running calls. */
export const MAX_ARGUMENT_BYTES = 128 * 1_048_576

export interface CallDeps {
  readonly system: System
  readonly tools: LocalTools
  readonly version: ProtocolVersion
  /** @returns `false` if the frame's payload is too large, or too much waits already */
  readonly send: (frame: OutgoingFrame) => boolean
  readonly onEvent: (event: LinkEvent) => void
}

/** The calls in flight of one connection. */
export class RunningCalls {
  readonly #deps: CallDeps
  readonly #running = new Map<string, AbortController>()
  #argumentBytes = 0

  constructor(deps: CallDeps) {
    this.#deps = deps
  }

  /** Runs a call and sends its answer. Never rejects. */
  async run({ id, serverName, toolName, rawArgs, rawMeta }: ToolExecuteFrame): Promise<void> {
    const { system, tools, onEvent } = this.#deps
    if (this.#running.has(id)) return this.#fail(id, refused('call_id_conflict'))
    const argumentBytes = rawArgs.length + (rawMeta?.length ?? 0)
    if (this.#running.size >= MAX_RUNNING || this.#argumentBytes + argumentBytes > MAX_ARGUMENT_BYTES)
      return this.#fail(id, refused('too_many_calls'))

    const abort = new AbortController()
    this.#running.set(id, abort)
    this.#argumentBytes += argumentBytes
    const startedMs = system.monotonicMs()
    const outcome = await tools.call({ serverName, toolName, rawArgs, rawMeta, signal: abort.signal })
    this.#running.delete(id)
    this.#argumentBytes -= argumentBytes
    onEvent({
      type: 'call-finished',
      server: serverName,
      tool: toolName,
      outcome: this.#answer(id, outcome),
      durationMs: Math.round(system.monotonicMs() - startedMs),
    })
  }

  /** Refuses a call that cannot be read, unless a call with the same id is running and will answer. */
  refuse(id: string, detail: string): void {
    if (this.#running.has(id)) return
    const { code, error } = refused('message_invalid')
    this.#fail(id, { ok: false, code, error: cleanText(`${error} ${detail}`) })
  }

  /** Refuses a call for whose arguments there is no memory. */
  refuseLarge(id: string): void {
    if (!this.#running.has(id)) this.#fail(id, refused('too_many_calls'))
  }

  cancel(id: string): void {
    this.#running.get(id)?.abort()
  }

  cancelAll(): void {
    for (const abort of this.#running.values()) abort.abort()
  }

  /** @returns how the call ended */
  #answer(id: string, outcome: LocalOutcome): 'ok' | ErrorCode {
    const failure = outcome.ok ? refused('result_too_large') : outcome
    if (outcome.ok && this.#sendResult(id, outcome.result)) return 'ok'
    this.#fail(id, failure)
    return failure.code
  }

  /** @returns `false` if it is too large */
  #sendResult(id: string, result: RawJson): boolean {
    const { version, send } = this.#deps
    if (version === 'v2') return send(outgoingResult(id, result))
    const head = encodeToolResult(id, result)
    return head.length <= limits.messageBytes && send({ id, head, isLast: true })
  }

  #fail(id: string, failure: Failure): void {
    this.#deps.send({ id, head: failureFrame(id, failure, this.#deps.version), isLast: true })
  }
}

type Failure = Extract<LocalOutcome, { ok: false }>

function failureFrame(id: string, { code, error, rpcError }: Failure, version: ProtocolVersion): Buffer {
  if (version === 'v1') return encodeToolFailure(id, { error })
  if (rpcError === undefined) return encodeToolFailure(id, { error, code })
  const frame = encodeToolFailure(id, { error, code, rpcError })
  return frame.length > limits.messageBytes ? encodeToolFailure(id, { error, code }) : frame
}

function refused(code: ErrorCode): Failure {
  return { ok: false, code, error: codes[code].message }
}
