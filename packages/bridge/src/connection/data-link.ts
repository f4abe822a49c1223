import type { SecurityEvent } from '../security-log/events.ts'
import type { BadMessageEvent } from './life.ts'
import type { ReadyConnection } from './ready-connection.ts'

/** The connection that carries the data frames. */
export interface DataLink extends ReadyConnection {
  /** Whether the agent is verified and its socket open. */
  readonly isReady: boolean
  record(event: SecurityEvent): void
  /** Treats a frame as invalid although it could be read. */
  refuse(event: BadMessageEvent): void
}
