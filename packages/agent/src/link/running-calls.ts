import {
  codes,
  type ErrorCode,
  encode,
  encodeToolResult,
  limits,
  type ProtocolVersion,
  parseJson,
  type ToolExecuteFrame,
} from '@bridgekeeper/protocol'
import type { LinkEvent } from '../events.ts'
import type { CallOutcome, LocalTools } from '../outcome.ts'
import type { System } from '../system.ts'

/** Calls at once; a bridge that forgets its own limits must not fill this machine's memory. */
const MAX_RUNNING = 512

export interface CallDeps {
  readonly system: System
  readonly tools: LocalTools
  readonly version: ProtocolVersion
  readonly send: (frame: Buffer) => void
  readonly onEvent: (event: LinkEvent) => void
}

/** The calls that one connection asked for and that have not ended. */
export class RunningCalls {
  readonly #deps: CallDeps
  readonly #running = new Map<string, AbortController>()

  constructor(deps: CallDeps) {
    this.#deps = deps
  }

  /** Runs a call and sends its answer. Never rejects. */
  async run({ id, serverName, toolName, rawArgs }: ToolExecuteFrame): Promise<void> {
    const { system, tools, version, send, onEvent } = this.#deps
    if (this.#running.has(id)) return send(failureFrame(id, refused('call_id_conflict'), version))
    if (this.#running.size >= MAX_RUNNING) return send(failureFrame(id, refused('too_many_calls'), version))

    const abort = new AbortController()
    this.#running.set(id, abort)
    const startedMs = system.nowMs()
    const outcome = fitting(id, await tools.call({ serverName, toolName, rawArgs, signal: abort.signal }))
    this.#running.delete(id)
    send(outcome.ok ? outcome.frame : failureFrame(id, outcome, version))
    onEvent({
      type: 'call-finished',
      server: serverName,
      tool: toolName,
      outcome: outcome.ok ? 'ok' : outcome.code,
      durationMs: system.nowMs() - startedMs,
    })
  }

  cancel(id: string): void {
    this.#running.get(id)?.abort()
  }

  cancelAll(): void {
    for (const abort of this.#running.values()) abort.abort()
  }
}

type Failure = Extract<CallOutcome, { ok: false }>

function fitting(id: string, outcome: CallOutcome): { readonly ok: true; readonly frame: Buffer } | Failure {
  if (!outcome.ok) return outcome
  const frame = encodeToolResult(id, outcome.result)
  return frame.length > limits.messageBytes ? refused('result_too_large') : { ok: true, frame }
}

function failureFrame(id: string, { code, error, rpcError }: Failure, version: ProtocolVersion): Buffer {
  const base = { type: 'tool_result', id, success: false, error } as const
  if (version === 'v1') return encode(base)
  const value = rpcError === undefined ? undefined : parseJson(rpcError.toString('utf8'))?.value
  if (!isRpcError(value)) return encode({ ...base, code })
  const frame = encode({ ...base, code, rpcError: value })
  return frame.length > limits.messageBytes ? encode({ ...base, code }) : frame
}

function isRpcError(value: unknown): value is { code: number; message: string } {
  return typeof value === 'object' && value !== null && 'code' in value && 'message' in value
}

function refused(code: ErrorCode): Failure {
  return { ok: false, code, error: codes[code].message }
}
