import { type BridgeError, codes } from '@bridgekeeper/protocol'

/** A JSON-RPC error object (JSON-RPC 2.0 section 5.1). */
export interface RpcError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** Converts one of our errors for a caller: `data` has the stable code and the next step. */
export function toRpcError(error: BridgeError): RpcError {
  return {
    code: codes[error.code].rpc,
    message: error.message,
    data: {
      code: error.code,
      next: error.next,
      ...(error.retryAfterSeconds !== undefined && { retryAfter: error.retryAfterSeconds }),
    },
  }
}
