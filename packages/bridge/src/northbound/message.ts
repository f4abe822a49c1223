import type { IncomingHttpHeaders } from 'node:http'
import {
  arrayItems,
  BridgeError,
  bytesAt,
  isDigit,
  isEmptyAt,
  isJson,
  limits,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  parseJson,
  pickMembers,
  QUOTE,
  type RawJson,
  type Span,
  skipSpace,
  spanIs,
  stringAt,
  TWICE,
} from '@bridgekeeper/protocol'
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server'

/** A JSON-RPC message of a caller, read as bytes. An id keeps its original bytes. */
export type RpcMessage =
  | RpcRequest
  | { readonly kind: 'notification'; readonly method: string; readonly params: Span | undefined }
  /** An answer to a request of the bridge, which sends none. */
  | { readonly kind: 'response' }
  | { readonly kind: 'invalid'; readonly id: RawJson; readonly error: BridgeError }

export interface RpcRequest {
  readonly kind: 'request'
  readonly id: RawJson
  readonly method: string
  readonly params: Span | undefined
}

export const NULL_ID: RawJson = Buffer.from('null')

/** [LOAD.9] Longest method or name of a tool: gates compare them, and the log cleans them. */
export const MAX_NAME_CHARS = 2_048

const NOTE = 'notifications/'
const MEMBERS = ['jsonrpc', 'id', 'method', 'params', 'result', 'error']

/**
 * Reads a JSON-RPC 2.0 message. Ignores unknown members.
 * @param at the span of a message in a batch, whose grammar has been checked
 * @returns `undefined` if the body is not JSON
 */
export function readMessage(body: Buffer, at?: Span): RpcMessage | undefined {
  const members = pickMembers(body, MEMBERS, at)
  if (members !== undefined) return messageOf(body, members)
  return at !== undefined || isJson(body) ? invalid(NULL_ID, 'It is not an object.') : undefined
}

function messageOf(body: Buffer, members: readonly (Span | undefined)[]): RpcMessage {
  const [jsonrpc, idAt, methodAt, params, result, error] = members
  const id = idOf(body, idAt)
  if (members.includes(TWICE)) return invalid(id, `"${MEMBERS[members.indexOf(TWICE)]}" occurs twice.`)
  if (!spanIs(body, jsonrpc, '"2.0"') && stringAt(body, jsonrpc) !== '2.0')
    return invalid(id, '"jsonrpc" must be "2.0".')
  const isAnswer = result !== undefined || error !== undefined
  if (methodAt === undefined || (isAnswer && isEmptyAt(body, methodAt)))
    return isAnswer ? { kind: 'response' } : invalid(id, '"method" is missing.')
  const method = spanIs(body, methodAt, '"tools/call"') ? 'tools/call' : stringAt(body, methodAt)
  if (method === undefined) return invalid(id, '"method" must be a string.')
  if (method.length > MAX_NAME_CHARS) return invalid(id, `"method" has at most ${MAX_NAME_CHARS} characters.`)
  // Some clients write `null` for what is absent. No request has such a name.
  const isNote = idAt === undefined || (method.startsWith(NOTE) && spanIs(body, idAt, 'null'))
  if (isNote) return { kind: 'notification', method, params }
  if (id === NULL_ID) return invalid(id, '"id" must be a string or a number.')
  return { kind: 'request', id, method, params }
}

function idOf(body: Buffer, span: Span | undefined): RawJson {
  return isIdAt(body, span) ? (bytesAt(body, span) ?? NULL_ID) : NULL_ID
}

/** Whether a value is a string or a number, as ids and tokens are. */
export function isIdAt(json: Buffer, span: Span | undefined): boolean {
  const first = span === undefined || span === TWICE ? undefined : json[span[0]]
  return first !== undefined && (first === QUOTE || first === MINUS || isDigit(first))
}

/**
 * Compares ids: as bytes, or as the values that they are written for. Numbers beyond 53 bits, and long ids, differ if
 * their bytes do. [LOAD.9] A cancellation compares its id with those of all open requests.
 */
export function isSameId(one: RawJson, other: RawJson): boolean {
  if (one.equals(other)) return true
  if (Math.max(one.length, other.length) > MAX_NAME_CHARS) return false
  const [a, b] = [one, other].map((id) => parseJson(id.toString('utf8'))?.value)
  if (typeof a === 'string') return a === b
  return typeof a === 'number' && a === b && Math.abs(a) <= Number.MAX_SAFE_INTEGER
}

function invalid(id: RawJson, detail: string): RpcMessage {
  return { kind: 'invalid', id, error: new BridgeError('request_invalid', detail) }
}

/** The caller's `MCP-Protocol-Version`. Empty counts as absent, and the same value twice as one. */
export function versionOf({ 'mcp-protocol-version': header }: IncomingHttpHeaders): string | undefined {
  if (header === undefined || header === '') return undefined
  const text = String(header)
  if (!text.includes(',')) return text
  const values = new Set(text.split(',').map((value) => value.trim()))
  return values.size === 1 ? [...values][0] : text
}

/** Messages of one JSON-RPC batch. */
export const MAX_BATCH = 32

/** Revisions with a handshake. Only 2025-03-26 has batches, but the official servers accept them in all of these. */
const VERSIONS_WITH_BATCHES: readonly unknown[] = [undefined, ...SUPPORTED_PROTOCOL_VERSIONS]

/** Whether the text begins as a batch. */
export function isBatch(body: Buffer): boolean {
  return body[skipSpace(body, 0)] === OPEN_BRACKET
}

/** Finds the messages of a batch. @returns why it is refused as a whole; `undefined` if it is not JSON */
export function readBatch(
  headers: IncomingHttpHeaders,
  body: Buffer,
): readonly Span[] | BridgeError | undefined {
  if (!isJson(body)) return undefined
  const version = versionOf(headers)
  if (!VERSIONS_WITH_BATCHES.includes(version))
    return new BridgeError('request_invalid', `Revision ${version} has no batches.`)
  const items = arrayItems(body, MAX_BATCH)
  if (items === undefined) return new BridgeError('batch_too_large')
  return items.length > 0 ? items : new BridgeError('request_invalid', 'The batch is empty.')
}

/** Members that are parsed, so that their size is limited. */
const PARSED: ReadonlySet<string | undefined> = new Set(['_meta', 'capabilities'])

function isLong(span: Span | undefined): boolean {
  return span !== undefined && span[1] - span[0] > limits.messageBytes
}

/**
 * Finds members of the parameters. Absent, `null` and `[]`, which PHP writes for an empty object, count as
 * empty.
 * @param onOther called for each member with another name
 * @returns the error if they are invalid
 */
export function readParams(
  body: Buffer,
  params: Span | undefined,
  names: readonly string[],
  onOther?: () => void,
): readonly (Span | undefined)[] | BridgeError {
  if (isEmptyAt(body, params)) return names.map(() => undefined)
  const members = pickMembers(body, names, params, onOther)
  if (members === undefined) return new BridgeError('params_invalid', '"params" must be an object.')
  if (members.some((span, at) => isLong(span) && PARSED.has(names[at])))
    return new BridgeError('params_invalid', '"params" has more than 1 MiB besides its content.')
  if (!members.includes(TWICE)) return members
  return new BridgeError('params_invalid', `"params.${names[members.indexOf(TWICE)]}" occurs twice.`)
}

/** The parameters of a `tools/call`, read as bytes. */
export interface CallParams {
  readonly toolName: string
  /** A JSON object. */
  readonly rawArgs: RawJson
  /** A JSON object; `undefined` if the caller sent none. */
  readonly rawMeta: RawJson | undefined
  /** Whether it has other members: one that MCP does not know yet, or `task` (MCP 2025-11-25, tasks). */
  readonly hasOthers: boolean
}

const CALL_MEMBERS = ['name', 'arguments', '_meta', 'task']
const LIST_MEMBERS = ['cursor', '_meta']
const NO_ARGUMENTS: RawJson = Buffer.from('{}')

/** Reads the parameters of a `tools/call`. @returns an error if they are invalid */
export function readCallParams(body: Buffer, params: Span | undefined): CallParams | BridgeError {
  let hasOthers = false
  const members = readParams(body, params, CALL_MEMBERS, () => {
    hasOthers = true
  })
  if (members instanceof BridgeError) return members
  const [name, args, meta, task] = members
  const toolName = stringAt(body, name)
  if (toolName === undefined) return new BridgeError('params_invalid', '"params.name" must be a string.')
  if (toolName.length > MAX_NAME_CHARS)
    return new BridgeError('params_invalid', `"params.name" has at most ${MAX_NAME_CHARS} characters.`)
  const rawArgs = objectAt(body, args)
  if (rawArgs === false) return new BridgeError('arguments_invalid', '"params.arguments" must be an object.')
  const rawMeta = objectAt(body, meta)
  if (rawMeta === false) return new BridgeError('params_invalid', '"params._meta" must be an object.')
  return {
    toolName,
    rawArgs: rawArgs ?? NO_ARGUMENTS,
    rawMeta,
    hasOthers: hasOthers || !isEmptyAt(body, task),
  }
}

/** Checks the parameters of a `tools/list`. A list has one page. @returns an error if they are invalid */
export function readListParams(body: Buffer, params: Span | undefined): BridgeError | undefined {
  const members = readParams(body, params, LIST_MEMBERS)
  if (members instanceof BridgeError) return members
  const [cursor, meta] = members
  if (!isEmptyAt(body, cursor) && stringAt(body, cursor) !== '')
    return new BridgeError(
      'params_invalid',
      '"params.cursor" must be absent or empty: the list has one page.',
    )
  if (objectAt(body, meta) === false)
    return new BridgeError('params_invalid', '"params._meta" must be an object.')
  return undefined
}

/** @returns `undefined` for an absent or empty value, `false` for one that is not an object */
function objectAt(body: Buffer, span: Span | undefined): RawJson | undefined | false {
  const value = bytesAt(body, span)
  if (value === undefined || value[0] === OPEN_BRACE) return value
  return isEmptyAt(body, span) ? undefined : false
}
