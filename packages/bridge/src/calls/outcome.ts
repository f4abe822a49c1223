import {
  BridgeError,
  cleanText,
  type ErrorCode,
  isErrorCode,
  isObject,
  OPEN_BRACKET,
  objectMembers,
  type ProtocolVersion,
  parseJson,
  type RawJson,
  spanIs,
  type ToolResultFrame,
  toJson,
} from '@bridgekeeper/protocol'

/** A call to a local server. */
export interface ToolCall {
  readonly serverName: string
  readonly toolName: string
  /** A JSON object. */
  readonly rawArgs: RawJson
  /** The caller's `_meta`: one JSON object. */
  readonly rawMeta?: RawJson | undefined
  /** Whether a surrounding text already kept the bounds of `objectMembers`. */
  readonly bounded?: true
}

/** Outcome of a call. */
export type CallOutcome =
  /** The local server's result, untouched. */
  | { readonly kind: 'result'; readonly result: RawJson }
  /** The local server's JSON-RPC error, untouched. */
  | { readonly kind: 'rpc-error'; readonly rpcError: RawJson }
  /** The call did not reach the local server, or its answer was lost. */
  | { readonly kind: 'failed'; readonly error: BridgeError }

export function failed(error: BridgeError): CallOutcome {
  return { kind: 'failed', error }
}

/** Codes with which a gate refuses a call before any limit counts it. */
export const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'rate_limit_exceeded',
  'scope_insufficient',
  'log_unavailable',
])

/** Whether no rate limit counted the call. */
export function isRefusal(outcome: CallOutcome): boolean {
  return outcome.kind === 'failed' && REFUSALS.has(outcome.error.code)
}

/** Converts the agent's answer into an outcome. */
export function outcomeOf(frame: ToolResultFrame, version: ProtocolVersion): CallOutcome {
  if (frame.success)
    return { kind: 'result', result: version === 'v1' ? asToolResult(frame.result) : frame.result }
  if (version === 'v1') return { kind: 'result', result: errorResult(cleanText(frame.error)) }
  if (frame.rpcError !== undefined) return { kind: 'rpc-error', rpcError: frame.rpcError }
  return failed(agentError(frame.code, frame.error))
}

/** Converts the reason that an agent gives. */
export function agentError(code: string | undefined, text = ''): BridgeError {
  return new BridgeError(code !== undefined && isErrorCode(code) ? code : 'tool_failed', cleanText(text))
}

/** First bytes of nearly every MCP result. */
const CONTENT_FIRST = '{"content":['

/** Recognizes most MCP results without finding their members. */
export function beginsWithContent(result: RawJson): boolean {
  return spanIs(result, [0, CONTENT_FIRST.length], CONTENT_FIRST)
}

/**
 * A v1 agent may send any value. A value that is not an MCP result becomes text content, plus structured
 * content if it is an object.
 */
function asToolResult(value: RawJson): RawJson {
  if (beginsWithContent(value)) return value
  const content = objectMembers(value)?.get('content')
  if (content !== undefined && value[content[0]] === OPEN_BRACKET) return value
  const parsed = parseJson(value.toString('utf8'))?.value
  const text = typeof parsed === 'string' ? parsed : value.toString('utf8')
  return toJson({ content: [{ type: 'text', text }], ...(isObject(parsed) && { structuredContent: parsed }) })
}

/** Wraps a v1 failure as an MCP result with `isError`. */
function errorResult(text: string): RawJson {
  return toJson({ content: [{ type: 'text', text }], isError: true })
}
