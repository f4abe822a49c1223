import type { z } from 'zod'
import { type CatalogFrame, keepTexts } from './catalog-texts.ts'
import type { ErrorCode } from './codes.ts'
import type { DownMessage } from './down.ts'
import { payloadBytesSchema } from './exchange.ts'
import { isPlain, parseJson, type RawJson, toJson } from './json.ts'
import { CLOSE_BRACE, OPEN_BRACE, OPEN_BRACKET } from './json-bytes.ts'
import { isJson } from './json-grammar.ts'
import { bytesAt, objectMembers, type Span, spanIs, stringAt } from './json-spans.ts'
import { limits } from './limits.ts'
import { cleanText } from './text.ts'
import type { UpMessage } from './up.ts'
import { type ProtocolVersion, schemas } from './version.ts'

/** The answer to a call. Its payload stays as received bytes. */
export type ToolResultFrame =
  | { readonly type: 'tool_result'; readonly id: string; readonly success: true; readonly result: RawJson }
  /** v2: a result of so many bytes follows in chunks. */
  | {
      readonly type: 'tool_result'
      readonly id: string
      readonly success: true
      readonly result?: undefined
      readonly bytes: number
    }
  | {
      readonly type: 'tool_result'
      readonly id: string
      readonly success: false
      readonly error: string
      readonly code?: string
      readonly rpcError?: RawJson
    }

type ToolExecute<M> = Omit<Extract<M, { type: 'tool_execute' }>, 'args' | 'meta'>

/** A call to run, with its arguments as received bytes. With `bytes`, they follow in chunks. */
export type ToolExecuteFrame = ToolExecute<DownMessage> & {
  readonly rawArgs: RawJson
  readonly rawMeta?: RawJson
}

/** A frame of an exchange with the JSON-RPC message, or batch of notes, that it carries, as received bytes. */
type Carrying<M> = M & { readonly message?: RawJson | undefined }

export type OpenFrame = Carrying<Extract<DownMessage, { type: 'open' }>>
export type MessageFrame = Carrying<Extract<UpMessage, { type: 'message' }>>
export type EndFrame = Carrying<Extract<UpMessage, { type: 'end' }>>

/** A frame of an exchange that may have a payload. */
export type CarrierFrame = OpenFrame | MessageFrame | EndFrame

export type UpFrame =
  | Exclude<UpMessage, { type: 'tool_result' | 'tool_execute' | 'message' | 'end' | 'catalog' }>
  | CatalogFrame
  | ToolResultFrame
  | ToolExecuteFrame
  | MessageFrame
  | EndFrame
export type DownFrame = Exclude<DownMessage, { type: 'tool_execute' | 'open' }> | ToolExecuteFrame | OpenFrame

export type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | {
      readonly ok: false
      readonly code: Extract<ErrorCode, 'message_invalid' | 'message_type_unknown'>
      readonly detail: string
    }

/** The member of an exchange's frame that is forwarded as bytes. */
const CARRIED = 'message'
/** Members that are forwarded as bytes. They are not parsed, so they may nest to any depth. */
const PAYLOADS = [CARRIED, 'args', 'meta'] as const
const EMPTY_OBJECT: RawJson = Buffer.from('{}')
const EMPTY_ARRAY: RawJson = Buffer.from('[]')
const NULL: RawJson = Buffer.from('null')

/** Reads one frame from an agent. */
export function decodeUp(frame: Buffer, version: ProtocolVersion): Decoded<UpFrame> {
  const members = objectMembers(frame)
  if (members === undefined) return invalid('It is not a JSON object with plain, distinct keys.')
  if (isToolSuccess(frame, members.get('type'), members.get('success')))
    return decodeToolSuccess(frame, members, version)
  return decodeBySchema(frame, members, schemas[version].up) as Decoded<UpFrame>
}

/** Reads one frame from the bridge. */
export function decodeDown(frame: Buffer, version: ProtocolVersion): Decoded<DownFrame> {
  const members = objectMembers(frame)
  if (members === undefined) return invalid('It is not a JSON object with plain, distinct keys.')
  return decodeBySchema(frame, members, schemas[version].down) as Decoded<DownFrame>
}

/** Writes a message whose payloads are values. */
export function encode(message: UpMessage | DownMessage): Buffer {
  return toJson(message)
}

/** Writes a frame of an exchange. `message` must be one JSON value. */
export function encodeExchange({ message, ...frame }: CarrierFrame): Buffer {
  const head = toJson(frame)
  if (message === undefined) return head
  return wrap(`${head.toString('utf8', 0, head.length - 1)},"${CARRIED}":`, message)
}

/** Writes a call. `rawArgs` and, for v2, `rawMeta` must each be one JSON object. */
export function encodeToolExecute(call: {
  readonly id: string
  readonly serverName: string
  readonly toolName: string
  /** A number announces arguments of so many bytes, which follow in chunks; only for v2. */
  readonly rawArgs: RawJson | number
  readonly rawMeta?: RawJson | undefined
}): Buffer {
  const { id, serverName, toolName, rawArgs, rawMeta } = call
  const head = `{"type":"tool_execute","id":${jsonString(id)},"serverName":${jsonString(serverName)},"toolName":${jsonString(toolName)}`
  if (typeof rawArgs === 'number')
    return rawMeta === undefined
      ? Buffer.from(`${head},"bytes":${rawArgs}}`)
      : wrap(`${head},"bytes":${rawArgs},"meta":`, rawMeta)
  if (rawMeta === undefined) return wrap(`${head},"args":`, rawArgs)
  return wrap(`${head},"meta":${rawMeta.toString('utf8')},"args":`, rawArgs)
}

/**
 * Writes the answer to a call; `result` must be one JSON value. A number announces a result of so many bytes, which
 * follows in chunks; only for v2.
 */
export function encodeToolResult(id: string, result: RawJson | number): Buffer {
  if (typeof result === 'number') return toJson({ type: 'tool_result', id, success: true, bytes: result })
  return wrap(`{"type":"tool_result","id":${jsonString(id)},"success":true,"result":`, result)
}

/** Writes the reason why a call has no result. `rpcError`, for v2, must be one JSON object. */
export function encodeToolFailure(
  id: string,
  failure: { readonly error: string; readonly code?: string; readonly rpcError?: RawJson },
): Buffer {
  const { rpcError, ...plain } = failure
  const frame = toJson({ type: 'tool_result', id, success: false, ...plain })
  if (rpcError === undefined) return frame
  return wrap(`${frame.toString('utf8', 0, frame.length - 1)},"rpcError":`, rpcError)
}

function jsonString(text: string): string {
  return isPlain(text) ? `"${text}"` : JSON.stringify(text)
}

function wrap(head: string, payload: RawJson): Buffer {
  const headBytes = Buffer.byteLength(head)
  const frame = Buffer.allocUnsafe(headBytes + payload.length + 1)
  frame.write(head, 0)
  payload.copy(frame, headBytes)
  frame[frame.length - 1] = CLOSE_BRACE
  return frame
}

/** A type written with JSON escapes means the same. */
function isToolSuccess(frame: Buffer, type: Span | undefined, success: Span | undefined): boolean {
  if (!spanIs(frame, success, 'true')) return false
  return spanIs(frame, type, '"tool_result"') || stringAt(frame, type) === 'tool_result'
}

/**
 * Reads a result without parsing its payload, because results are large. Accepts exactly what the schema
 * accepts.
 */
function decodeToolSuccess(
  frame: Buffer,
  members: ReadonlyMap<string, Span>,
  version: ProtocolVersion,
): Decoded<ToolResultFrame> {
  const id = stringAt(frame, members.get('id')) ?? ''
  if (id === '' || id.length > limits.callIdChars)
    return invalid('id: must be a string of 1 to 128 characters.')
  const size = version === 'v1' ? undefined : bytesAt(frame, members.get('bytes'))
  if (size !== undefined) {
    const bytes = payloadBytesSchema.safeParse(parseJson(size.toString('utf8'))?.value)
    if (!bytes.success) return invalid(`bytes: ${firstIssue(bytes.error)}`)
    return { ok: true, message: { type: 'tool_result', id, success: true, bytes: bytes.data } }
  }
  const result = bytesAt(frame, members.get('result')) ?? NULL
  return { ok: true, message: { type: 'tool_result', id, success: true, result } }
}

function decodeBySchema(
  frame: Buffer,
  members: ReadonlyMap<string, Span>,
  schema: z.ZodType<UpMessage | DownMessage>,
): Decoded<unknown> {
  const head = withoutPayloads(frame, members)
  if (!isJson(head, limits.jsonDepth)) return invalid(`It nests deeper than ${limits.jsonDepth} levels.`)
  const json = parseJson(head.toString('utf8'))
  if (json === undefined) return invalid('It is not JSON.')
  const parsed = schema.safeParse(json.value)
  if (!parsed.success) return refusal(parsed.error, stringAt(frame, members.get('type')))
  if (parsed.data.type === 'catalog') return withTexts(parsed.data, frame, members.get('servers'))
  return { ok: true, message: withRawPayload(parsed.data, frame, members) }
}

/** Empties payloads: the schema sees whether they are objects, and nothing of their content is parsed. */
function withoutPayloads(frame: Buffer, members: ReadonlyMap<string, Span>): Buffer {
  const spans = PAYLOADS.map((name) => members.get(name)).filter((span) => span !== undefined)
  if (spans.length === 0) return frame
  const parts: Buffer[] = []
  let at = 0
  for (const [start, end] of spans.sort(([one], [other]) => one - other)) {
    if (frame[start] !== OPEN_BRACE && frame[start] !== OPEN_BRACKET) continue
    parts.push(frame.subarray(at, start), frame[start] === OPEN_BRACE ? EMPTY_OBJECT : EMPTY_ARRAY)
    at = end
  }
  return Buffer.concat([...parts, frame.subarray(at)])
}

/** Replaces what servers said by the received texts. */
function withTexts(
  catalog: Extract<UpMessage, { type: 'catalog' }>,
  frame: Buffer,
  at: Span | undefined,
): Decoded<CatalogFrame> {
  const servers = keepTexts(catalog.servers, frame, at)
  return servers === undefined
    ? invalid('servers: a member of a server or tool occurs twice.')
    : { ok: true, message: { ...catalog, servers } }
}

/** Replaces parsed payloads by the received bytes. */
function withRawPayload(
  message: UpMessage | DownMessage,
  frame: Buffer,
  members: ReadonlyMap<string, Span>,
): unknown {
  if (message.type === 'tool_execute') {
    const { args: _, ...call } = message
    const rawArgs = bytesAt(frame, members.get('args')) ?? EMPTY_OBJECT
    return 'meta' in call
      ? { ...call, rawArgs, rawMeta: bytesAt(frame, members.get('meta')) }
      : { ...call, rawArgs }
  }
  if (message.type === 'open' || message.type === 'message' || message.type === 'end')
    return { ...message, message: 'bytes' in message ? undefined : bytesAt(frame, members.get(CARRIED)) }
  if (!('rpcError' in message)) return message
  return { ...message, rpcError: bytesAt(frame, members.get('rpcError')) }
}

function refusal(error: z.ZodError, type: string | undefined): Decoded<never> {
  const unknownType =
    type !== undefined && error.issues[0]?.code === 'invalid_union' && error.issues[0].path[0] === 'type'
  if (!unknownType) return invalid(firstIssue(error))
  return { ok: false, code: 'message_type_unknown', detail: cleanText(type).slice(0, limits.nameChars) }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  return issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`.slice(0, limits.textChars)
}

function invalid(detail: string): Decoded<never> {
  return { ok: false, code: 'message_invalid', detail }
}
