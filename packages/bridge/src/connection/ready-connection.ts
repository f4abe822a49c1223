import type { OutgoingFrame, PayloadStream, ProtocolVersion } from '@bridgekeeper/protocol'
import type { CallOutcome, ToolCall } from '../calls/outcome.ts'
import type { Principal } from '../ports.ts'

/** A call in flight. */
export interface SentCall {
  /** `undefined` if it was refused before it was sent. */
  readonly id: string | undefined
  cancel(): void
}

export const NOT_SENT: SentCall = { id: undefined, cancel: () => {} }

/** A connection that carries exchanges. */
export interface Carrier {
  /** Whether the agent reads too slowly to get requests. */
  readonly isSlow: boolean
  /** Sends a frame. Has no effect after the end of the connection. */
  send(frame: Buffer): void
  /** Sends a frame whose payload follows in chunks. */
  sendLarge(frame: OutgoingFrame): void
  /**
   * Expects a payload that a frame of the agent has announced.
   * @param isLast whether the exchange has no other payload
   * @returns `undefined` if the payload before it is not complete
   */
  expect(id: string, sizeBytes: number, isLast: boolean): PayloadStream | undefined
  /** The exchange is over: its payloads are cut. */
  drop(id: string): void
}

/** A verified connection, as the directory sees it. */
export interface ReadyConnection extends Carrier {
  readonly principal: Principal
  readonly version: ProtocolVersion
  readonly ip: string
  /** Name that its user gave the machine, if it is enrolled. */
  readonly machineName: string | undefined
  /** When the agent was verified. */
  readonly sinceMs: number
  /** Connection id that the device stores; `undefined` if no device proved itself. */
  readonly connectionId: string | undefined
  /** Sends the call; `settle` is called exactly once. */
  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall
  /** Another connection of the same login took over. */
  replace(): void
  /** Closes the connection for good, because its login is no longer valid. */
  revoke(code?: RevocationCode): void
}

export type RevocationCode = 'login_revoked' | 'device_key_copied' | 'device_unknown'
