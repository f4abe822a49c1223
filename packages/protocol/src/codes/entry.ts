/** An error and its form at each edge. */
export interface CodeEntry {
  /** HTTP status if the error answers a whole HTTP request. */
  readonly http: number
  /** JSON-RPC error code if it answers one MCP request. Ours lie in -32050..-32079. */
  readonly rpc: number
  /** The fault, in words for a person. */
  readonly message: string
  /** The next step, in words for a person. */
  readonly next: string
}

/** JSON-RPC 2.0 section 5.1. */
export const INVALID_REQUEST = -32600

export function entry(http: number, rpc: number, message: string, next: string): CodeEntry {
  return { http, rpc, message, next }
}
