import type { ErrorCode } from '@bridgekeeper/protocol'
import type { CallOutcome, ToolCall } from '../calls/outcome.ts'
import type { DeadlineQueue } from '../collections/deadline-queue.ts'
import type { Verdict } from '../gates/verdict.ts'
import type { Catalog } from './catalog-parts.ts'
import type { ExchangeFrame } from './life.ts'
import type { ReadyConnection } from './ready-connection.ts'

/** The part of a WebSocket that a connection needs; southbound implements it. */
export interface AgentSocket {
  write(frame: Buffer): void
  /** Sends a binary frame. @param sent called when the network has taken it */
  writeChunk(frame: Buffer, sent: () => void): void
  close(code: number, reason: string): void
}

export interface ConnectionOptions {
  readonly callTimeoutMs: number
  readonly maxPendingCalls: number
  /** The deadlines of all connections. */
  readonly deadlines: DeadlineQueue
}

/** A connection whose device has proved itself, but may be a copy. */
export type ProvenConnection = Pick<ReadyConnection, 'principal' | 'revoke'>

/** Receives the events of a connection. */
export interface ConnectionListener {
  /** The device's proof is valid. @returns whether it is the enrolled device and not a copy */
  confirm(connection: ProvenConnection, previous: string): Promise<Verdict<void>>
  verified(connection: ReadyConnection): void
  challengeFailed(): void
  ended(connection: ReadyConnection): void
  /** Called for a frame that is neither an answer nor a call that the rate limit allowed. */
  uncountedFrame(sizeBytes: number): void
  /** Called when the agent has sent the catalog of its servers. */
  catalogChanged(connection: ReadyConnection, catalog: Catalog): void
  /** @returns whether the frame is one that each exchange has once */
  exchangeFrame(connection: ReadyConnection, frame: ExchangeFrame): boolean
  /** Called for a frame with this id that could not be read and may be the end of an exchange. */
  endRefused(connection: ReadyConnection, id: string, code: ErrorCode): void
  /**
   * Runs a call of the agent itself.
   * @param obstacle reason to refuse it; it counts against the rate limit nevertheless
   * @returns a function that cancels the call
   */
  execute(
    connection: ReadyConnection,
    call: ToolCall,
    settle: (outcome: CallOutcome) => void,
    obstacle: ErrorCode | undefined,
  ): () => void
}
