import type { DownFrame, ErrorCode, OutgoingFrame } from '@bridgekeeper/protocol'

/** A frame of an exchange from the bridge. */
export type ExchangeFrame = Extract<
  DownFrame,
  { type: 'open' | 'cancel' | 'detach' | 'done' | 'revoke' | 'end_session' }
>

/** The exchanges of this machine, for the link. They outlive its connections. */
export interface Exchanges {
  /**
   * A connection is verified.
   * @param send queues a frame for the bridge; `false` if its payload is too large, or too much waits already
   * @param isFlooding whether an exchange sends more messages than the bridge reads
   */
  connected(send: (frame: OutgoingFrame) => boolean, isFlooding: (id: string) => boolean): void
  /** Refuses an exchange that cannot be opened. */
  refuse(id: string, code: ErrorCode): void
  /** Handles a frame. Never throws. */
  receive(frame: ExchangeFrame): void
  /** The connection has ended: exchanges without an MCP session are cancelled, the others go on. */
  disconnected(): void
}
