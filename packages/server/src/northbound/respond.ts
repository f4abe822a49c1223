import type { ServerResponse } from 'node:http'
import { BridgeError, codes, type RawJson } from '@bridgekeeper/protocol'
import type { Denied } from '../gates/verdict.ts'
import { toRpcError } from './rpc-error.ts'

const JSON_TYPE = 'application/json'
const RPC_HEAD = '{"jsonrpc":"2.0","id":'

/** Answers one JSON-RPC request; `id` and the member's value are JSON bytes of their own. */
export function sendRpc(
  response: ServerResponse,
  id: RawJson,
  member: 'result' | 'error',
  value: RawJson,
): void {
  const middle = `,"${member}":`
  const sizeBytes = RPC_HEAD.length + id.length + middle.length + value.length + 1
  const body = Buffer.allocUnsafe(sizeBytes)
  let at = body.write(RPC_HEAD, 0, 'latin1')
  at += id.copy(body, at)
  at += body.write(middle, at, 'latin1')
  at += value.copy(body, at)
  body[at] = 0x7d
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': sizeBytes })
  response.end(body)
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
