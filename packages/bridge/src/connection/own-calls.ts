import {
  BridgeError,
  discard,
  type ErrorCode,
  encode,
  encodeToolFailure,
  encodeToolResult,
  type ProtocolVersion,
  unreachable,
} from '@bridgekeeper/protocol'
import { type CallOutcome, failed } from '../calls/outcome.ts'

/** Calls that a socket made itself, by the ids that it chose. */
export class OwnCalls {
  readonly #version: ProtocolVersion
  readonly #maxRunning: number
  readonly #send: (frame: Buffer) => void
  /** Functions that cancel each call. */
  readonly #running = new Map<string, () => void>()

  constructor(version: ProtocolVersion, maxRunning: number, send: (frame: Buffer) => void) {
    this.#version = version
    this.#maxRunning = maxRunning
    this.#send = send
  }

  /**
   * Runs a call and sends its outcome, once.
   * @param start counts and starts the call, unless it is refused; settles it once; returns a function that
   * cancels it
   */
  run(
    id: string,
    start: (settle: (outcome: CallOutcome) => void, obstacle: ErrorCode | undefined) => () => void,
  ): void {
    const obstacle = this.#obstacle(id)
    // [RATE.9] A call that cannot run counts too: the rate limit comes before the limit of calls at once.
    if (obstacle !== undefined) {
      start((outcome) => this.#answer(id, outcome), obstacle)
      return
    }
    this.#running.set(id, () => {})
    const cancel = start((outcome) => {
      this.#running.delete(id)
      this.#answer(id, outcome)
    }, undefined)
    if (this.#running.has(id)) this.#running.set(id, cancel)
  }

  #obstacle(id: string): ErrorCode | undefined {
    if (this.#running.has(id)) return 'call_id_conflict'
    return this.#running.size >= this.#maxRunning ? 'too_many_calls' : undefined
  }

  cancelAll(): void {
    for (const cancel of [...this.#running.values()]) cancel()
  }

  #answer(id: string, outcome: CallOutcome): void {
    this.#send(encodeOutcome(id, outcome, this.#version))
  }
}

function encodeOutcome(id: string, outcome: CallOutcome, version: ProtocolVersion): Buffer {
  switch (outcome.kind) {
    case 'result':
      return encodeToolResult(id, outcome.result)
    case 'large':
      discard(outcome.result)
      return encodeOutcome(id, failed(new BridgeError('result_too_large')), version)
    case 'rpc-error':
      return encodeToolFailure(id, { error: outcome.rpcError.toString('utf8') })
    case 'failed': {
      const { code, message, retryAfterSeconds: retryAfter } = outcome.error
      // A v1 peer expects this refusal as an `error`.
      if (code === 'rate_limit_exceeded' && version === 'v1')
        return encode({ type: 'error', error: code, message, id, retryAfter })
      return encode({ type: 'tool_result', id, success: false, error: message, code, retryAfter })
    }
    default:
      return unreachable(outcome)
  }
}
