import {
  BridgeError,
  bytesAt,
  isDigit,
  isEmptyAt,
  isJson,
  limits,
  MINUS,
  parseJson,
  pickMembers,
  QUOTE,
  type RawJson,
  type Span,
  spanIs,
  stringAt,
  TWICE,
} from '@bridgekeeper/protocol'

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
  if (methodAt === undefined)
    return result === undefined && error === undefined
      ? invalid(id, '"method" is missing.')
      : { kind: 'response' }
  const method = spanIs(body, methodAt, '"tools/call"') ? 'tools/call' : stringAt(body, methodAt)
  if (method === undefined) return invalid(id, '"method" must be a string.')
  if (idAt === undefined) return { kind: 'notification', method, params }
  if (id === NULL_ID) return invalid(id, '"id" must be a string or a number.')
  return { kind: 'request', id, method, params }
}

function idOf(body: Buffer, span: Span | undefined): RawJson {
  const first = span === undefined || span === TWICE ? undefined : body[span[0]]
  if (first === undefined) return NULL_ID
  const isId = first === QUOTE || first === MINUS || isDigit(first)
  return isId ? (bytesAt(body, span) ?? NULL_ID) : NULL_ID
}

/** Compares ids: as bytes, or as the values that they are written for. Numbers beyond 53 bits differ if their bytes do. */
export function isSameId(one: RawJson, other: RawJson): boolean {
  if (one.equals(other)) return true
  const [a, b] = [one, other].map((id) => parseJson(id.toString('utf8'))?.value)
  if (typeof a === 'string') return a === b
  return typeof a === 'number' && a === b && Math.abs(a) <= Number.MAX_SAFE_INTEGER
}

function invalid(id: RawJson, detail: string): RpcMessage {
  return { kind: 'invalid', id, error: new BridgeError('request_invalid', detail) }
}

/** Members that are parsed, so that their size is limited. */
const PARSED: ReadonlySet<string | undefined> = new Set(['_meta', 'capabilities'])

function isLong(span: Span | undefined): boolean {
  return span !== undefined && span[1] - span[0] > limits.messageBytes
}

/**
 * Finds members of the parameters. Absent, `null` and `[]`, which PHP writes for an empty object, count as
 * empty.
 * @returns the error if they are invalid
 */
export function readParams(
  body: Buffer,
  params: Span | undefined,
  names: readonly string[],
): readonly (Span | undefined)[] | BridgeError {
  if (isEmptyAt(body, params)) return names.map(() => undefined)
  const members = pickMembers(body, names, params)
  if (members === undefined) return new BridgeError('params_invalid', '"params" must be an object.')
  if (members.some((span, at) => isLong(span) && PARSED.has(names[at])))
    return new BridgeError('params_invalid', '"params" has more than 1 MiB besides its content.')
  if (!members.includes(TWICE)) return members
  return new BridgeError('params_invalid', `"params.${names[members.indexOf(TWICE)]}" occurs twice.`)
}
