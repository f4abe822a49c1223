import {
  type CatalogServer,
  ChunkReceiver,
  type DownFrame,
  decodeDown,
  type OutgoingFrame,
  type PayloadStream,
  type ProtocolVersion,
} from '@bridgekeeper/protocol'
import { readyServer } from '../../../../test/support/catalog.ts'
import type { CallOutcome, ToolCall } from '../../src/calls/outcome.ts'
import type { ReadyConnection, SentCall } from '../../src/connection/ready-connection.ts'
import type { Directory } from '../../src/directory/directory.ts'
import type { Principal } from '../../src/ports.ts'

export const READY_SERVER = readyServer('s')

export function resultOf(text: string): CallOutcome {
  return { kind: 'result', result: Buffer.from(text) }
}

/** The code of a failed call, or the bytes of its result. */
export function shown(outcome: CallOutcome | undefined): string | undefined {
  if (outcome === undefined) return undefined
  if (outcome.kind === 'failed') return outcome.error.code
  if (outcome.kind === 'large') return `${outcome.result.sizeBytes} bytes`
  return (outcome.kind === 'result' ? outcome.result : outcome.rpcError).toString()
}

/** A hand-driven verified connection: keeps its calls until the test settles them. */
export class FakeConnection implements ReadyConnection {
  readonly principal: Principal
  readonly version: ProtocolVersion
  readonly ip = '203.0.113.1'
  readonly connectionId = undefined
  machineName: string | undefined
  sinceMs = 0
  /** The catalog that it reports. */
  catalog: ReadonlyMap<string, CatalogServer> | undefined
  readonly calls: { readonly call: ToolCall; readonly settle: (outcome: CallOutcome) => void }[] = []
  /** Frames of exchanges. */
  readonly sent: DownFrame[] = []
  /** Frames whose payload would follow in chunks. */
  readonly large: OutgoingFrame[] = []
  readonly granted: string[] = []
  readonly dropped: string[] = []
  readonly receiver = new ChunkReceiver((id, bytes) => this.granted.push(`${id} ${bytes}`))
  isSlow = false
  replaced = 0
  cancelled = 0

  constructor(
    userId: string,
    sessionId: string,
    servers?: readonly CatalogServer[],
    version?: ProtocolVersion,
  ) {
    this.principal = { userId, sessionId, expiresAtMs: 0 }
    this.version = version ?? 'v2'
    this.catalog = servers && new Map(servers.map((server) => [server.name, server]))
  }

  call(call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    this.calls.push({ call, settle })
    return { id: `call ${this.calls.length}`, cancel: () => void this.cancelled++ }
  }

  send(frame: Buffer): void {
    const decoded = decodeDown(frame, 'v2')
    if (!decoded.ok) throw new Error(decoded.detail)
    this.sent.push(decoded.message)
  }

  sendLarge(frame: OutgoingFrame): void {
    this.send(frame.head)
    this.large.push(frame)
  }

  expect(id: string, sizeBytes: number, isLast: boolean): PayloadStream | undefined {
    return this.receiver.expect(id, sizeBytes, isLast)
  }

  drop(id: string): void {
    this.dropped.push(id)
    this.receiver.drop(id)
  }

  replace(): void {
    this.replaced++
  }

  revoke(): void {}
}

/** Connects an agent, which reports its catalog if it has one. */
export function connectTo(directory: Directory, connection: FakeConnection): void {
  directory.registerConnection(connection)
  if (connection.catalog !== undefined) directory.report(connection, connection.catalog)
}
