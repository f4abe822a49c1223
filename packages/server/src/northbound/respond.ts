import type { ServerResponse } from 'node:http'
import { type BridgeError, codes, type ErrorCode, type RawJson } from '@bridgekeeper/protocol'
import { type Denied, denialError } from '../gates/verdict.ts'
import { toRpcError } from './rpc-error.ts'

const JSON_TYPE = 'application/json'

/** Node sends a short string together with the head, in one write; of long bytes a copy would cost more. */
const ONE_WRITE_BELOW_BYTES = 16_384

/** Answers one JSON-RPC request; `id` and the member's value are JSON bytes of their own. */
export function sendRpc(
  response: ServerResponse,
  id: RawJson,
  member: 'result' | 'error',
  value: RawJson,
): void {
  const head = `{"jsonrpc":"2.0","id":${id.toString('utf8')},"${member}":`
  const sizeBytes = Buffer.byteLength(head) + value.length + 1
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': sizeBytes })
  if (sizeBytes < ONE_WRITE_BELOW_BYTES) {
    response.end(`${head}${value.toString('utf8')}}`)
    return
  }
  response.cork()
  response.write(head)
  response.write(value)
  response.end('}')
  response.uncork()
}

/** Refuses a whole HTTP request: the status of the code, and a JSON-RPC error without an id. */
export function sendRefusal(response: ServerResponse, denied: Denied): void {
  const error = denialError(denied)
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: toRpcError(error) })
  const status = codes[denied.code].http
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...refusalHeaders(status, denied),
    // What is left of a body that was not read would be taken for the next request, or be waited for.
    ...((status === 413 || denied.code === 'login_revoked') && { connection: 'close' }),
  })
  response.end(body)
}

/**
 * Refuses one call as HTTP tells it, so that whoever does not read JSON-RPC understands it too: too many
 * calls (RFC 6585 section 4), or a scope that is missing (RFC 6750 section 3.1).
 */
export function sendCallRefusal(response: ServerResponse, id: RawJson, error: BridgeError): void {
  const status = codes[error.code].http
  const body = `{"jsonrpc":"2.0","id":${id.toString('utf8')},"error":${JSON.stringify(toRpcError(error))}}`
  const { code, retryAfterSeconds } = error
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...refusalHeaders(status, { code, retryAfterSeconds }),
  })
  response.end(body)
}

/** Codes that refuse a call as HTTP tells it. */
export const HTTP_REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'rate_limit_exceeded',
  'scope_insufficient',
  'log_unavailable',
])

function refusalHeaders(
  status: number,
  denied: { readonly code: ErrorCode; readonly retryAfterSeconds?: number | undefined },
): Record<string, string> {
  return {
    ...(status === 401 && { 'www-authenticate': bearerChallenge(denied.code) }),
    ...(denied.code === 'scope_insufficient' && {
      'www-authenticate': 'Bearer realm="bridgekeeper", error="insufficient_scope"',
    }),
    ...(denied.retryAfterSeconds !== undefined && { 'retry-after': String(denied.retryAfterSeconds) }),
  }
}

/** RFC 6750 section 3.1: no error code where no token was sent. */
function bearerChallenge(code: ErrorCode): string {
  const realm = 'Bearer realm="bridgekeeper"'
  if (code === 'token_missing') return realm
  return `${realm}, error="invalid_token", error_description="${codes[code].message}"`
}
