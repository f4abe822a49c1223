import { BridgeError, codes } from '@bridgekeeper/protocol'
import type { Denied } from './gates/verdict.ts'

/** The JSON of a refusal to an agent or a machine: `{"error":{"code","message","next"}}`. */
export function refusalBody(denied: Denied): string {
  const { code, message, next } = new BridgeError(denied.code, denied.detail)
  return JSON.stringify({ error: { code, message, next } })
}

/** Headers of such a refusal. It ends the connection: the unread rest of a body would be the next request. */
export function refusalHeaders({ code, retryAfterSeconds }: Denied): Readonly<Record<string, string>> {
  return {
    Connection: 'close',
    'Content-Type': 'application/json',
    ...(codes[code].http === 401 && { 'WWW-Authenticate': 'Bearer realm="bridgekeeper"' }),
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
  }
}
