import type { CatalogServer, ErrorCode, RawJson } from '@bridgekeeper/protocol'

/** How a call to a local server ended. `error` is text for a person. */
export type LocalOutcome =
  | { readonly ok: true; readonly result: RawJson }
  | { readonly ok: false; readonly code: ErrorCode; readonly error: string; readonly rpcError?: RawJson }

export interface LocalCall {
  readonly serverName: string
  readonly toolName: string
  /** A JSON object. */
  readonly rawArgs: RawJson
  /** The caller's `_meta`: one JSON object. */
  readonly rawMeta?: RawJson | undefined
  readonly signal: AbortSignal
}

/** The local servers, as the link sees them. */
export interface LocalTools {
  /** Every server in its present state. */
  catalog(): readonly CatalogServer[]
  /** Runs one tool; never rejects. */
  call(call: LocalCall): Promise<LocalOutcome>
}
