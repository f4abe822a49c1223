import {
  cleanText,
  codes,
  type ErrorCode,
  encodeToolFailure,
  encodeToolResult,
  limits,
  type ProtocolVersion,
  type ToolExecuteFrame,
} from '@bridgekeeper/protocol'
import type { LinkEvent } from '../events.ts'
import type { LocalOutcome, LocalTools } from '../local-tools.ts'
import type { System } from '../system.ts'

/** Calls in flight per connection. Bounds this machine's memory even if the bridge exceeds its own limits. */
export const MAX_RUNNING = 512
/** Sum of the arguments of all running calls. */
export const MAX_ARGUMENT_BYTES = 64 * 1_048_576

export interface CallDeps {
  readonly system: System
  readonly tools: LocalTools
  readonly version: ProtocolVersion
  readonly send: (frame: Buffer) => void
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
    const { system, tools, version, send, onEvent } = this.#deps
    if (this.#running.has(id)) return send(failureFrame(id, refused('call_id_conflict'), version))
    const argumentBytes = rawArgs.length + (rawMeta?.length ?? 0)
    if (this.#running.size >= MAX_RUNNING || this.#argumentBytes + argumentBytes > MAX_ARGUMENT_BYTES)
      return send(failureFrame(id, refused('too_many_calls'), version))

    const abort = new AbortController()
    this.#running.set(id, abort)
    this.#argumentBytes += argumentBytes
    const startedMs = system.monotonicMs()
    const outcome = encodeOutcome(
      id,
      await tools.call({ serverName, toolName, rawArgs, rawMeta, signal: abort.signal }),
    )
    this.#running.delete(id)
    this.#argumentBytes -= argumentBytes
    send(outcome.ok ? outcome.frame : failureFrame(id, outcome, version))
    onEvent({
      type: 'call-finished',
      server: serverName,
      tool: toolName,
      outcome: outcome.ok ? 'ok' : outcome.code,
      durationMs: Math.round(system.monotonicMs() - startedMs),
    })
  }

  /** Refuses a call that cannot be read, unless a call with the same id is running and will answer. */
  refuse(id: string, detail: string): void {
    if (this.#running.has(id)) return
    const { code, error } = refused('message_invalid')
    const failure: Failure = { ok: false, code, error: cleanText(`${error} ${detail}`) }
    this.#deps.send(failureFrame(id, failure, this.#deps.version))
  }

  cancel(id: string): void {
    this.#running.get(id)?.abort()
  }

  cancelAll(): void {
    for (const abort of this.#running.values()) abort.abort()
  }
}

type Failure = Extract<LocalOutcome, { ok: false }>

function encodeOutcome(
  id: string,
  outcome: LocalOutcome,
): { readonly ok: true; readonly frame: Buffer } | Failure {
  if (!outcome.ok) return outcome
  const frame = encodeToolResult(id, outcome.result)
  return frame.length > limits.messageBytes ? refused('result_too_large') : { ok: true, frame }
}

function failureFrame(id: string, { code, error, rpcError }: Failure, version: ProtocolVersion): Buffer {
  if (version === 'v1') return encodeToolFailure(id, { error })
  if (rpcError === undefined) return encodeToolFailure(id, { error, code })
  const frame = encodeToolFailure(id, { error, code, rpcError })
  return frame.length > limits.messageBytes ? encodeToolFailure(id, { error, code }) : frame
}

function refused(code: ErrorCode): Failure {
  return { ok: false, code, error: codes[code].message }
}
