import type { ServerResponse } from 'node:http'
import { BridgeError, codes, type RawJson } from '@bridgekeeper/protocol'
import type { Denied } from '../gates/verdict.ts'
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
  const error = new BridgeError(denied.code, denied.detail)
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: toRpcError(error) })
  const status = codes[denied.code].http
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 401 && { 'www-authenticate': bearerChallenge(denied) }),
    // What is left of a body that was not read would be taken for the next request.
    ...(status === 413 && { connection: 'close' }),
  })
  response.end(body)
}

/** RFC 6750 section 3.1: no error code where no token was sent. */
function bearerChallenge(denied: Denied): string {
  const realm = 'Bearer realm="bridgekeeper"'
  if (denied.code === 'token_missing') return realm
  return `${realm}, error="invalid_token", error_description="${codes[denied.code].message}"`
}
