import type { CatalogServer, ProtocolVersion } from '@bridgekeeper/protocol'
import type { CallOutcome, ToolCall } from '../calls/outcome.ts'
import type { Principal } from '../ports.ts'

/** A call on its way. */
export interface SentCall {
  /** `undefined` when it was refused before it was sent. */
  readonly id: string | undefined
  cancel(): void
}

export const NOT_SENT: SentCall = { id: undefined, cancel: () => {} }

/** A verified connection, as the router sees it. */
export interface ReadyConnection {
  readonly principal: Principal
  readonly version: ProtocolVersion
  /** The agent's servers; `undefined` until it says, and for v1 agents, who never do. */
  readonly catalog: ReadonlyMap<string, CatalogServer> | undefined
  readonly ip: string
  /** The id that a device remembers; `undefined` where none proved itself. */
  readonly connectionId: string | undefined
  /** Sends the call; `settle` is called exactly once. */
  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall
  /** Another connection of the same login took over. */
  replace(): void
  /** Ends it for good: what is said here is no longer anybody's who may say it. */
  revoke(code?: RevocationCode): void
}

export type RevocationCode = 'login_revoked' | 'device_key_copied' | 'device_unknown'
