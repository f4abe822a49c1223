import type { ServerResponse } from 'node:http'
import { type BridgeError, codes, type RawJson } from '@bridgekeeper/protocol'
import { type Denied, denialError, deny } from '../gates/verdict.ts'
import { NULL_ID } from './message.ts'
import { type Pieces, sizeOf, writePieces } from './pieces.ts'
import { toRpcError } from './rpc-error.ts'
import { EVENT_HEADERS, eventOf } from './sse.ts'
import { type AuthenticateFacts, wwwAuthenticate } from './www-authenticate.ts'

const JSON_TYPE = 'application/json'

/** [ANSWER.1] Headers of each answer but an MCP result, which only a script with a token gets. */
export const answerHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

const BATCH_START = Buffer.from('[')
const BATCH_COMMA = Buffer.from(',')
const BATCH_END = Buffer.from(']')

/** Node sends a short string together with the head, in one write; of long bytes a copy would cost more. */
const ONE_WRITE_BELOW_BYTES = 16_384

/** Answers one JSON-RPC request; `id` and the member's value are JSON bytes. */
export function sendRpc(
  response: ServerResponse,
  id: RawJson,
  member: 'result' | 'error',
  value: RawJson,
  httpStatus = 200,
): void {
  // Reading and writing latin1 preserves the bytes.
  const head = `{"jsonrpc":"2.0","id":${id.toString('latin1')},"${member}":`
  const sizeBytes = head.length + value.length + 1
  response.writeHead(httpStatus, { 'content-type': JSON_TYPE, 'content-length': sizeBytes })
  if (sizeBytes < ONE_WRITE_BELOW_BYTES) {
    response.end(`${head}${value.toString('latin1')}}`, 'latin1')
    return
  }
  response.cork()
  response.write(head, 'latin1')
  response.write(value)
  response.end('}')
  response.uncork()
}

/** Answers with a whole JSON-RPC message. */
export function sendMessage(response: ServerResponse, message: RawJson, httpStatus: number): void {
  response.writeHead(httpStatus, { 'content-type': JSON_TYPE, 'content-length': message.length }).end(message)
}

/** Answers with a JSON text that is still arriving. */
export function sendLarge(
  response: ServerResponse,
  answer: Pieces,
  httpStatus: number,
  wrote: () => void,
): void {
  if (response.destroyed) return
  response.writeHead(httpStatus, { 'content-type': JSON_TYPE, 'content-length': sizeOf(answer) })
  response.flushHeaders()
  writePieces(response, answer, { isEvent: false, wrote }, () => response.end())
}

/** Does the same as a whole event stream. */
export function sendLargeEvent(response: ServerResponse, answer: Pieces, wrote: () => void): void {
  if (response.destroyed) return
  const event = eventOf(answer)
  response.writeHead(200, { ...EVENT_HEADERS, 'content-length': sizeOf(event) })
  writePieces(response, event, { isEvent: true, wrote }, () => response.end())
}

/**
 * Answers a `tools/list` request. @param tools cached JSON text, which must not be copied for each answer
 * @param more the rest of the result's JSON text
 */
export function sendList(response: ServerResponse, id: RawJson, tools: Buffer, more: string): void {
  const head = Buffer.from(`{"jsonrpc":"2.0","id":${id.toString('latin1')},"result":{"tools":`, 'latin1')
  const tail = Buffer.from(`${more}}`)
  const sizeBytes = head.length + tools.length + tail.length
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': sizeBytes })
  response.cork()
  response.write(head)
  response.write(tools)
  response.end(tail)
  response.uncork()
}

/** Answers a batch with a JSON array. @param answers JSON texts in pieces */
export function sendBatch(response: ServerResponse, answers: readonly (readonly Buffer[])[]): void {
  const parts = answers.flatMap((answer, at) => [at === 0 ? BATCH_START : BATCH_COMMA, ...answer])
  sendParts(response, { 'content-type': JSON_TYPE }, [...parts, BATCH_END])
}

/** Answers with a whole event stream of one message each. */
export function sendEvents(response: ServerResponse, answers: readonly (readonly Buffer[])[]): void {
  sendParts(
    response,
    EVENT_HEADERS,
    answers.flatMap((answer) => eventOf(answer)),
  )
}

function sendParts(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  parts: readonly Buffer[],
): void {
  if (response.destroyed) return
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0)
  response.writeHead(200, { ...headers, 'content-length': sizeBytes })
  response.cork()
  for (const part of parts) response.write(part)
  response.end()
  response.uncork()
}

/** Answers a request that holds only notifications and responses. */
export function sendAccepted(response: ServerResponse): void {
  response.writeHead(202, { 'content-length': 0, ...answerHeaders }).end()
}

/** Refuses a whole HTTP request: the status of the code, and a JSON-RPC error without an id. */
export function sendRefusal(
  response: ServerResponse,
  denied: Denied,
  authenticate: AuthenticateFacts = {},
): void {
  const error = denialError(denied)
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: toRpcError(error) })
  const status = codes[denied.code].http
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    ...answerHeaders,
    ...refusalHeaders(denied, authenticate),
    // Otherwise the unread rest of a body would be read as the next request, or be awaited.
    ...((status === 413 || denied.code === 'login_revoked') && { connection: 'close' }),
  })
  response.end(body)
}

/** Without sessions, there is no stream to open and none to end (RFC 9110 section 15.5.6). @param allowed value of `Allow` */
export function sendMethodRefusal(response: ServerResponse, allowed = 'POST'): void {
  response.setHeader('allow', allowed)
  sendRefusal(response, deny('method_not_allowed'))
}

/** Refuses a request of a session. @param absence why its server cannot be reached; `undefined` if it has no sessions */
export function sendAbsence(response: ServerResponse, absence: BridgeError | undefined): void {
  if (absence === undefined) sendMethodRefusal(response)
  else sendCallRefusal(response, NULL_ID, absence)
}

/**
 * Refuses a call at the HTTP level too, for clients that do not read JSON-RPC: too many calls (RFC 6585
 * section 4), or a missing scope (RFC 6750 section 3.1).
 */
export function sendCallRefusal(
  response: ServerResponse,
  id: RawJson,
  error: BridgeError,
  authenticate: AuthenticateFacts = {},
): void {
  const status = codes[error.code].http
  const body = `{"jsonrpc":"2.0","id":${id.toString('utf8')},"error":${JSON.stringify(toRpcError(error))}}`
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    ...answerHeaders,
    ...refusalHeaders(error, authenticate),
  })
  response.end(body)
}

function refusalHeaders(
  { code, retryAfterSeconds }: Pick<Denied, 'code'> & { readonly retryAfterSeconds?: number | undefined },
  authenticate: AuthenticateFacts,
): Record<string, string | string[]> {
  const asksForToken = codes[code].http === 401 || code === 'scope_insufficient'
  return {
    ...(code === 'content_encoding_unsupported' && { 'accept-encoding': 'identity' }),
    ...(asksForToken && { 'www-authenticate': wwwAuthenticate(code, authenticate) }),
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  }
}

/** JSON-RPC 2.0 section 5.1, with the status that the Streamable HTTP transport gives it. */
export function sendParseError(response: ServerResponse): void {
  const body = '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error: Invalid JSON"},"id":null}'
  response
    .writeHead(400, { 'content-type': 'application/json', 'content-length': body.length, ...answerHeaders })
    .end(body)
}

/** Runs a callback of one request. An error ends neither the process nor the caller of the callback. */
export function guarded(response: ServerResponse, act: () => void | Promise<void>): void {
  const fail = (): void => {
    // A complete answer stays valid, whatever fails afterwards.
    if (response.writableEnded) return
    if (response.headersSent) response.destroy()
    else sendRefusal(response, deny('internal_error'))
  }
  try {
    act()?.catch(fail)
  } catch {
    fail()
  }
}
