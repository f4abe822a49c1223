import {
  BridgeError,
  cleanText,
  type ErrorCode,
  isErrorCode,
  OPEN_BRACE,
  OPEN_BRACKET,
  type PayloadStream,
  type ProtocolVersion,
  pickMembers,
  QUOTE,
  type RawJson,
  readWhole,
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
  /** The same, while it still arrives. Somebody must read it. */
  | { readonly kind: 'large'; readonly result: PayloadStream }
  /** The local server's JSON-RPC error, untouched. */
  | { readonly kind: 'rpc-error'; readonly rpcError: RawJson }
  /** The call did not reach the local server, or its answer was lost. */
  | { readonly kind: 'failed'; readonly error: BridgeError }

/** An outcome of which nothing arrives any more. */
export type WholeOutcome = Exclude<CallOutcome, { kind: 'large' }>

export function failed(error: BridgeError): WholeOutcome {
  return { kind: 'failed', error }
}

/** Waits until all of an outcome is there. @param done called once */
export function readOutcome(outcome: CallOutcome, done: (whole: WholeOutcome) => void): void {
  if (outcome.kind !== 'large') return done(outcome)
  readWhole(outcome.result, (result) =>
    done(result === undefined ? failed(new BridgeError('outcome_unknown')) : { kind: 'result', result }),
  )
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

/** An answer whose result, if any, is part of its frame. */
export type WholeResult = Exclude<ToolResultFrame, { readonly bytes: number }>

/** Converts the agent's answer into an outcome. */
export function outcomeOf(frame: WholeResult, version: ProtocolVersion): CallOutcome {
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
const STRUCTURED = Buffer.from(',"structuredContent":')
const CLOSE = Buffer.from('}')

/** Recognizes most MCP results without finding their members. */
export function beginsWithContent(result: RawJson): boolean {
  return spanIs(result, [0, CONTENT_FIRST.length], CONTENT_FIRST)
}

/**
 * A v1 agent may send any value. A value that is not an MCP result becomes text content, plus structured
 * content if it is an object, as the bytes that it came in.
 */
function asToolResult(value: RawJson): RawJson {
  if (beginsWithContent(value)) return value
  const [content] = pickMembers(value, ['content']) ?? []
  if (content !== undefined && value[content[0]] === OPEN_BRACKET) return value
  const text = value[0] === QUOTE ? value.toString('utf8') : JSON.stringify(value.toString('utf8'))
  const head = Buffer.from(`${CONTENT_FIRST}{"type":"text","text":${text}}]`)
  const structured = value[0] === OPEN_BRACE ? [STRUCTURED, value] : []
  return Buffer.concat([head, ...structured, CLOSE])
}

/** Wraps a v1 failure as an MCP result with `isError`. */
function errorResult(text: string): RawJson {
  return toJson({ content: [{ type: 'text', text }], isError: true })
}
