import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import {
  BridgeError,
  bytesAt,
  type Era,
  isEmptyAt,
  isObject,
  parseJson,
  type RawJson,
  type Span,
  stringAt,
  withoutMembers,
} from '@bridgekeeper/protocol'
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  classifyInboundRequest,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
  UnsupportedProtocolVersionError,
} from '@modelcontextprotocol/server'
import { type CallParams, MAX_NAME_CHARS, type RpcMessage, readParams, versionOf } from './message.ts'
import type { NoteContext } from './message-context.ts'
import { metaFault } from './request-bytes.ts'
import type { RpcError } from './rpc-error.ts'

/** Reason why a message does not fit the revision that it names. */
export interface RevisionError {
  readonly httpStatus: number
  readonly rpcError: RpcError
}

/** The revision with an envelope in each request's `_meta`. */
export const MODERN_VERSION = '2026-07-28'
const HEADER_MISMATCH = -32020
const BASE64_NAME = /^=\?base64\?(.*)\?=$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Keys of the 2026 envelope, which describe the caller's own connection to the bridge. */
const ENVELOPE_KEYS = [
  PROTOCOL_VERSION_META_KEY,
  CLIENT_INFO_META_KEY,
  CLIENT_CAPABILITIES_META_KEY,
  LOG_LEVEL_META_KEY,
]

/**
 * [CALL.12] The part of a caller's `_meta` that its local server gets. The agent has agreed on a revision and on
 * capabilities with the server, so the caller's own are left out.
 */
export function metaToForward(era: Era, rawMeta: RawJson | undefined): RawJson | undefined {
  return era === '2025' || rawMeta === undefined ? rawMeta : withoutMembers(rawMeta, ENVELOPE_KEYS)
}

/** Facts about a message that decide how it is handled. */
export interface MessageFacts {
  readonly era: Era
  /** Name of a tool, prompt or task, or the URI of a resource, that the request is for. */
  readonly name: string | undefined
}

/** Finds the facts of a message. @param call its parameters, if they have been read */
export function factsOf(
  { request: { headers }, body, at }: NoteContext,
  { kind, method, params }: Extract<RpcMessage, { kind: 'request' | 'notification' }>,
  call?: CallParams,
): MessageFacts | RevisionError | BridgeError {
  const read = call === undefined ? readFacts(body, method, params) : { ...call, name: call.toolName }
  if (read instanceof BridgeError) return read
  const fault = read.rawMeta && metaFault(read.rawMeta)
  if (fault !== undefined) return fault
  const era = eraOf({ headers, kind, method, rawMeta: read.rawMeta, name: read.name })
  if (at !== undefined && era !== '2025')
    return new BridgeError('request_invalid', 'Batches are not part of revision 2026-07-28.')
  return typeof era === 'string' ? { era, name: read.name } : era
}

function readFacts(body: Buffer, method: string, params: Span | undefined) {
  const naming = NAMING.get(method)
  const members = readParams(body, params, naming === undefined ? ['_meta'] : ['_meta', naming])
  if (members instanceof BridgeError) return members
  const [meta, name] = members
  return { rawMeta: isEmptyAt(body, meta) ? undefined : bytesAt(body, meta), name: stringAt(body, name) }
}

/** Facts that decide the revision of a message. */
interface RevisionFacts {
  readonly headers: IncomingHttpHeaders
  readonly kind: 'request' | 'notification'
  readonly method: string
  readonly rawMeta: RawJson | undefined
  /** Name of a tool, prompt or task, or the URI of a resource, that the request is for. */
  readonly name?: string | undefined
}

/** The member of the parameters that `Mcp-Name` repeats, for each method with one. */
const NAMING: ReadonlyMap<string, 'name' | 'uri' | 'taskId'> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])

/** Why the version of a request whose message names none is refused (MCP 2025-11-25, transports). */
export function versionFault(headers: IncomingHttpHeaders): RevisionError | undefined {
  const version = versionOf(headers)
  const isKnown =
    version === undefined || version === MODERN_VERSION || SUPPORTED_PROTOCOL_VERSIONS.includes(version)
  return isKnown ? undefined : unknownVersion(version)
}

/** Finds the revision of a message, and whether its headers agree with it. */
function eraOf(facts: RevisionFacts): Era | RevisionError {
  const { headers, rawMeta } = facts
  const version = versionOf(headers)
  const isLegacy = version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(version)
  if (isLegacy && !namesVersion(rawMeta)) return '2025'
  return classified(facts, version)
}

function namesVersion(rawMeta: RawJson | undefined): boolean {
  if (rawMeta === undefined) return false
  const meta = parseJson(rawMeta.toString('utf8'))?.value
  return isObject(meta) && Object.hasOwn(meta, PROTOCOL_VERSION_META_KEY)
}

/**
 * Calls the SDK's classifier. Passes only what it decides on, since it refuses some valid JSON-RPC ids and
 * tokens.
 */
function classified(facts: RevisionFacts, version: string | undefined): Era | RevisionError {
  const { headers, kind, method, rawMeta } = facts
  const meta = rawMeta && parseJson(rawMeta.toString('utf8'))?.value
  const _meta = isObject(meta)
    ? Object.fromEntries(ENVELOPE_KEYS.flatMap((key) => (Object.hasOwn(meta, key) ? [[key, meta[key]]] : [])))
    : undefined
  const message = { jsonrpc: '2.0', method, ...(_meta && { params: { _meta } }) }
  const body = kind === 'request' ? { ...message, id: 1 } : message
  const methodHeader = headers['mcp-method'] as string | undefined
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    ...(version !== undefined && { protocolVersionHeader: version }),
    ...(methodHeader !== undefined && { mcpMethodHeader: methodHeader }),
    body,
  })
  switch (outcome.kind) {
    case 'reject': {
      const { httpStatus, code, message: text, data } = outcome
      return { httpStatus, rpcError: { code, message: text, data } }
    }
    case 'legacy':
      return method === 'initialize' || version === undefined || SUPPORTED_PROTOCOL_VERSIONS.includes(version)
        ? '2025'
        : unknownVersion(version)
    case 'modern': {
      const { revision } = outcome.classification
      if (revision !== MODERN_VERSION) return unsupported(revision)
      return (outcome.messageKind === 'request' && headerFault(facts, version)) || '2026'
    }
  }
}

/** The headers that mirror a request of the 2026 revision must be there (SEP-2243). */
function headerFault(
  { headers, method, name }: RevisionFacts,
  version: string | undefined,
): RevisionError | undefined {
  if (version === undefined)
    return mismatch(
      '(missing)',
      `the body envelope names protocol version ${MODERN_VERSION} but the required MCP-Protocol-Version header is absent`,
    )
  if (headers['mcp-method'] === undefined)
    return mismatch(
      '(missing)',
      `the body names method ${method} but the required Mcp-Method header is absent`,
    )
  const naming = NAMING.get(method)
  if (naming === undefined) return undefined
  const header = headers['mcp-name'] as string | undefined
  const named = header === undefined ? undefined : nameIn(header)
  if (header !== undefined && named === undefined)
    return mismatch(header, 'the Mcp-Name header carries an invalid Base64 sentinel value')
  if (name === undefined || named === name) return undefined
  const body = `the body carries params.${naming}="${name.slice(0, MAX_NAME_CHARS)}" but the`
  if (header === undefined) return mismatch('(missing)', `${body} required Mcp-Name header is absent`)
  return mismatch(header, `${body} Mcp-Name header names another`)
}

/** @returns `undefined` if its Base64 is invalid */
function nameIn(header: string): string | undefined {
  const [, base64] = BASE64_NAME.exec(header) ?? []
  if (base64 === undefined) return header
  const bytes = Buffer.from(base64, 'base64')
  return BASE64.test(base64) && isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

function mismatch(header: string, body: string): RevisionError {
  const message = `Bad Request: the request headers and body disagree: ${body}`
  return {
    httpStatus: 400,
    rpcError: { code: HEADER_MISMATCH, message, data: { mismatch: { header, body } } },
  }
}

function unsupported(requested: string | undefined): RevisionError {
  const { code, message, data } = new UnsupportedProtocolVersionError({
    supported: [MODERN_VERSION],
    requested: requested ?? 'unknown',
  })
  return { httpStatus: 400, rpcError: { code, message, data } }
}

function unknownVersion(version: string): RevisionError {
  const supported = [MODERN_VERSION, ...SUPPORTED_PROTOCOL_VERSIONS].join(', ')
  const message = `Bad Request: Unsupported protocol version: ${version} (supported versions: ${supported})`
  return { httpStatus: 400, rpcError: { code: -32000, message } }
}
