import type { IncomingHttpHeaders } from 'node:http'
import {
  bytesAt,
  isJson,
  isObject,
  namedMembers,
  parseJson,
  type RawJson,
  spanIs,
  stringAt,
} from '@bridgekeeper/protocol'
import {
  classifyInboundRequest,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server'

/** The protocol revisions differ in what a result must carry. */
export type Era = 'legacy' | 'modern'

/** A `tools/call` request read without parsing more than it must. */
export interface ToolCallRequest {
  readonly era: Era
  /** The JSON-RPC id as it came. */
  readonly id: RawJson
  readonly toolName: string
  readonly rawArgs: RawJson
  /** The bounds of `objectMembers` hold for the whole request, which nests the arguments deeper than a frame does. */
  readonly bounded: true
}

type LeanMethod = 'tools/call' | 'tools/list'

const JSON_TYPE = /^application\/json(?:\s*;\s*charset="?utf-8"?)?$/i
const REQUEST_MEMBERS = ['jsonrpc', 'id', 'method', 'params']
const PARAMS_MEMBERS = ['name', 'arguments', '_meta']
const INTEGER = /^-?\d{1,15}$/
const OPEN_BRACE = 0x7b
const QUOTE = 0x22
const NO_ARGUMENTS: RawJson = Buffer.from('{}')

/**
 * The lean path's reader. It takes only the plainest well-formed `tools/call`; whatever is unusual
 * in the least gives `undefined` and goes to the SDK's server, which knows every rule and every
 * error. So this reader can be short, and never has to refuse.
 */
export function readToolCall(headers: IncomingHttpHeaders, body: Buffer): ToolCallRequest | undefined {
  if (!usualHeaders(headers)) return undefined
  const request = namedMembers(body, REQUEST_MEMBERS)
  if (request === undefined) return undefined
  const [jsonrpc, idAt, method, paramsAt] = request
  if (!spanIs(body, jsonrpc, '"2.0"') || !spanIs(body, method, '"tools/call"')) return undefined
  const id = bytesAt(body, idAt)
  if (id === undefined || !isRequestId(id) || paramsAt === undefined) return undefined

  const params = namedMembers(body, PARAMS_MEMBERS, paramsAt)
  if (params === undefined) return undefined
  const [name, args, meta] = params
  const toolName = stringAt(body, name)
  if (toolName === undefined) return undefined
  const rawArgs = bytesAt(body, args) ?? NO_ARGUMENTS
  if (rawArgs[0] !== OPEN_BRACE || !isJson(rawArgs)) return undefined
  const era = eraOf(headers, body, bytesAt(body, meta), 'tools/call', toolName)
  return era === undefined ? undefined : { era, id, toolName, rawArgs, bounded: true }
}

/** A `tools/list` request. */
export interface ToolListRequest {
  readonly era: Era
  /** The JSON-RPC id as it came. */
  readonly id: RawJson
}

/** The lean path's reader of `tools/list`, as picky as that of calls. Lists have one page, so it takes no cursor. */
export function readToolList(headers: IncomingHttpHeaders, body: Buffer): ToolListRequest | undefined {
  if (!usualHeaders(headers)) return undefined
  const request = namedMembers(body, REQUEST_MEMBERS)
  if (request === undefined) return undefined
  const [jsonrpc, idAt, method, paramsAt] = request
  if (!spanIs(body, jsonrpc, '"2.0"') || !spanIs(body, method, '"tools/list"')) return undefined
  const id = bytesAt(body, idAt)
  if (id === undefined || !isRequestId(id)) return undefined
  const params = paramsAt === undefined ? [undefined] : namedMembers(body, ['_meta'], paramsAt)
  if (params === undefined) return undefined
  const era = eraOf(headers, body, bytesAt(body, params[0]), 'tools/list', undefined)
  return era === undefined ? undefined : { era, id }
}

function usualHeaders({ accept = '', 'content-type': contentType = '' }: IncomingHttpHeaders): boolean {
  return (
    JSON_TYPE.test(contentType) && accept.includes('application/json') && accept.includes('text/event-stream')
  )
}

function eraOf(
  headers: IncomingHttpHeaders,
  body: Buffer,
  meta: RawJson | undefined,
  method: LeanMethod,
  name: string | undefined,
): Era | undefined {
  const version = headers['mcp-protocol-version']
  const parsedMeta = meta === undefined ? {} : parseJson(meta.toString('utf8'))?.value
  if (!isObject(parsedMeta)) return undefined
  if (Object.hasOwn(parsedMeta, PROTOCOL_VERSION_META_KEY)) {
    return isModern(headers, body, method, name) ? 'modern' : undefined
  }
  const legacy = version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(version as string)
  return legacy ? 'legacy' : undefined
}

/** The SDK's own classifier decides, and the headers that mirror the body must be there and plain. */
function isModern(
  headers: IncomingHttpHeaders,
  body: Buffer,
  method: LeanMethod,
  name: string | undefined,
): boolean {
  const version = headers['mcp-protocol-version']
  if (version !== '2026-07-28' || headers['mcp-method'] !== method || headers['mcp-name'] !== name) {
    return false
  }
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    protocolVersionHeader: version,
    mcpMethodHeader: method,
    ...(name !== undefined && { mcpNameHeader: name }),
    body: parseJson(body.toString('utf8'))?.value,
  })
  return (
    outcome.kind === 'modern' &&
    outcome.messageKind === 'request' &&
    outcome.classification.revision === version
  )
}

/** @param id one JSON value, quotes and brackets closed */
function isRequestId(id: RawJson): boolean {
  return id[0] === QUOTE ? isJson(id) : INTEGER.test(id.toString('latin1'))
}
