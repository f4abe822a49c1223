import { BridgeError, isObject, parseJson, type RawJson, unreachable } from '@bridgekeeper/protocol'
import type { WholeOutcome } from './outcome.ts'

/** The local server's own JSON-RPC error, with its code and data as it sent them. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
  readonly code: number
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** A tool's result as the local server sent it, parsed: its numbers are JavaScript numbers. Its members are not validated. */
export interface ToolResult {
  readonly content?: readonly ToolContent[]
  readonly structuredContent?: Readonly<Record<string, unknown>>
  readonly isError?: boolean
  readonly [member: string]: unknown
}

/** A content block, such as `{ type: 'text', text }`. */
export interface ToolContent {
  readonly type: string
  readonly [member: string]: unknown
}

/**
 * The result of a call as a parsed value.
 * @throws ToolError the local server's JSON-RPC error
 * @throws BridgeError if the call failed earlier, or if its result is not a JSON object
 */
export function resultOrThrow(outcome: WholeOutcome): ToolResult {
  switch (outcome.kind) {
    case 'result': {
      const result = parsed(outcome.result)
      if (!isObject(result)) throw new BridgeError('result_invalid')
      return result
    }
    case 'rpc-error': {
      const error = parsed(outcome.rpcError)
      if (!isObject(error)) throw new BridgeError('result_invalid')
      throw new ToolError(Number(error.code), String(error.message), error.data)
    }
    case 'failed':
      throw outcome.error
    default:
      return unreachable(outcome)
  }
}

function parsed(raw: RawJson): unknown {
  const json = parseJson(raw.toString('utf8'))
  if (json === undefined) throw new BridgeError('result_invalid')
  return json.value
}
