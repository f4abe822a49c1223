import { createHash, generateKeyPairSync } from 'node:crypto'
import type { ErrorCode, ProtocolVersion } from '@bridgekeeper/protocol'
import { makeKey, prove, TestDevice } from '../../../../test/support/devices.ts'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import type { CallOutcome, ToolCall } from '../../src/calls/outcome.ts'
import { DeadlineQueue } from '../../src/collections/deadline-queue.ts'
import type { ProofExchange } from '../../src/connection/agent-context.ts'
import type { Catalog } from '../../src/connection/catalog-parts.ts'
import { Connection } from '../../src/connection/connection.ts'
import type { ConnectionListener } from '../../src/connection/connection-listener.ts'
import type { ExchangeFrame } from '../../src/connection/life.ts'
import { allow, deny, type Verdict } from '../../src/gates/verdict.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'
import { HandProofs, HandSocket } from './connections-world.ts'
import { shown } from './fake-connection.ts'

export const TIMEOUT_MS = 10_000
export const MAX_PENDING = 3
const ORIGIN = 'http://127.0.0.1:8787'

export const settled = () => new Promise((resolve) => setImmediate(resolve))

/** A connection whose environment the test controls. */
export class OneConnection {
  readonly system: FakeSystem
  readonly socket = new HandSocket()
  readonly events: SecurityEvent[] = []
  readonly happened: string[] = []
  readonly executed: {
    readonly call: ToolCall
    readonly settle: (outcome: CallOutcome) => void
    readonly obstacle: ErrorCode | undefined
  }[] = []
  readonly catalogs: Catalog[] = []
  /** Frames of exchanges. */
  readonly frames: ExchangeFrame[] = []
  /** Sizes of frames that are charged. */
  readonly uncounted: number[] = []
  readonly outcomes: (string | undefined)[] = []
  readonly connection: Connection
  readonly device: TestDevice
  /** Result of the look-up of a device whose proof is valid. */
  confirm: () => Promise<Verdict<void>> = async () => allow(undefined)
  readonly proofs: HandProofs | undefined

  constructor({
    version = 'v2' as ProtocolVersion,
    withDevice = false,
    lifetimeMs = 86_400_000,
    challengeAttempts = 3,
    system = new FakeSystem(),
  } = {}) {
    this.system = system
    const key = generateKeyPairSync('ed25519').privateKey
    this.device = new TestDevice({ userId: 'ann', sessionId: 's1', deviceId: 'd1' }, 'token', makeKey())
    const bound = { connectionId: 'c1', offeredSubprotocols: 'bridgekeeper.v2', exporter: undefined }
    const dialled = [{ origin: ORIGIN, path: '/api/mcp-ws' }]
    this.proofs = withDevice ? new HandProofs(this.device, key, { ...bound, dialled }) : undefined
    const principal = { userId: 'ann', sessionId: 's1', expiresAtMs: system.nowMs() + lifetimeMs }
    const device: ProofExchange | undefined = this.proofs
    this.connection = new Connection(
      { principal, version, ip: '203.0.113.1', challengeAttempts, device },
      this.socket,
      this.#listener(),
      system,
      {
        logSecurityEvent: (event) => void this.events.push(event),
        afterWritten: (run) => run(),
        writable: true,
      },
      { callTimeoutMs: TIMEOUT_MS, maxPendingCalls: MAX_PENDING, deadlines: new DeadlineQueue(system) },
    )
  }

  /** Its challenge answered: by the echo, or by the device's proof. */
  async ready(): Promise<this> {
    if (this.proofs === undefined) this.send({ type: 'challenge_response', response: this.rightAnswer })
    else this.prove()
    await settled()
    return this
  }

  get rightAnswer(): string {
    return createHash('sha256').update(`${this.socket.sent[0]?.challenge}anns1`).digest('hex')
  }

  /** Answers the last challenge as the device. */
  prove(changes: Parameters<typeof prove>[3] = {}): void {
    const challenge = this.socket.sent.findLast(({ type }) => type === 'challenge')
    if (challenge === undefined) throw new Error('There is no challenge.')
    this.send({ type: 'challenge_response', proof: prove(this.device, challenge, ORIGIN, changes).proof })
  }

  send(message: unknown): void {
    this.connection.receive(
      Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
      false,
    )
  }

  call(changes: Partial<ToolCall> = {}) {
    const call = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}'), ...changes }
    return this.connection.call(call, (outcome) => this.outcomes.push(shown(outcome)))
  }

  named(name: string): readonly SecurityEvent[] {
    return this.events.filter(({ event }) => event === name)
  }

  /** Frames of this type, newest last. */
  sent(type: string) {
    return this.socket.sent.filter((frame) => frame.type === type)
  }

  #listener(): ConnectionListener {
    return {
      confirm: () => this.confirm(),
      verified: () => void this.happened.push('verified'),
      challengeFailed: () => void this.happened.push('challenge failed'),
      uncountedFrame: (sizeBytes) => void this.uncounted.push(sizeBytes),
      ended: () => void this.happened.push('ended'),
      catalogChanged: (_connection, catalog) => void this.catalogs.push(catalog),
      exchangeFrame: (_connection, frame) => this.frames.push(frame) > 0,
      endRefused: (_connection, id, code) => void this.happened.push(`end of ${id} refused: ${code}`),
      execute: (_connection, call, settle, obstacle) => {
        const index = this.executed.push({ call, settle, obstacle })
        return () => void this.happened.push(`cancelled ${index}`)
      },
    }
  }
}

export function denied(code: ErrorCode): Verdict<never> {
  return deny(code)
}
