import { createHash, hash, type KeyObject, sign } from 'node:crypto'
import type { ProtocolVersion } from '@bridgekeeper/protocol'
import { keyIdOf, type TestDevice } from '../../../../test/support/devices.ts'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import type { CallOutcome, ToolCall } from '../../src/calls/outcome.ts'
import { DeadlineQueue } from '../../src/collections/deadline-queue.ts'
import type { ProofExchange } from '../../src/connection/agent-context.ts'
import { Connection } from '../../src/connection/connection.ts'
import type { AgentSocket, ConnectionListener } from '../../src/connection/connection-listener.ts'
import type { RenewalFacts } from '../../src/connection/life.ts'
import type { ReadyConnection } from '../../src/connection/ready-connection.ts'
import { Directory } from '../../src/directory/directory.ts'
import { ExchangeTable } from '../../src/exchanges/exchange-table.ts'
import { InFlight } from '../../src/exchanges/in-flight.ts'
import { MachineClients } from '../../src/exchanges/machine-clients.ts'
import type { BoundConnection, ExpectedProof } from '../../src/gates/proof.ts'
import { allow, type Verdict } from '../../src/gates/verdict.ts'
import { Blocklist } from '../../src/limiters/blocklist.ts'
import { ChallengeLockout } from '../../src/limiters/lockout.ts'
import { RateLimiter } from '../../src/limiters/rate-limit.ts'
import { callbackLog } from '../../src/memory.ts'
import type { Principal } from '../../src/ports.ts'
import { CallGates } from '../../src/router/call-gates.ts'
import { Dispatcher } from '../../src/router/dispatcher.ts'

export const CALL_TIMEOUT_MS = 10_007.5
export const MAX_PENDING = 2
const HOUR_MS = 3_600_000

type Frame = Readonly<Record<string, unknown>> & { readonly type: string }

/** A socket that keeps its frames and its close for the test. */
export class HandSocket implements AgentSocket {
  readonly sent: (Frame & { readonly whileReady: boolean })[] = []
  closedWith: string | undefined
  isReady = (): boolean => false

  write(frame: Buffer): void {
    this.sent.push({ ...(JSON.parse(frame.toString('utf8')) as Frame), whileReady: this.isReady() })
  }

  /** Binary frames, and what tells that the network took each. */
  readonly chunks: { readonly frame: Buffer; readonly sent: () => void }[] = []

  writeChunk(frame: Buffer, sent: () => void): void {
    this.chunks.push({ frame, sent })
  }

  close(code: number, reason: string): void {
    this.closedWith ??= `${code} ${reason}`
  }

  idsOf(type: string): string[] {
    return this.sent.filter((frame) => frame.type === type).map((frame) => String(frame.id))
  }

  /** Answers to calls that this socket asked for: its id, and the result or the code. */
  get answers(): string[] {
    return this.sent
      .filter(({ type }) => type === 'tool_result')
      .map(({ id, success, result, code }) => `${id} ${success ? JSON.stringify(result) : code}`)
  }
}

export interface RealPeer {
  readonly connection: Connection
  readonly socket: HandSocket
  /** Expected answer to the challenge. */
  readonly rightAnswer: string
}

/** Answers the requests of a device's connection to admission manually. */
export class HandProofs implements ProofExchange {
  readonly deviceName = 'laptop'
  readonly connectionId: string
  readonly #device: TestDevice
  readonly #bridgeKey: KeyObject
  readonly #bridgeKeyId: string
  readonly #connection: BoundConnection
  #tokenHash: string
  /** Result of the next look-up; by default the same device. */
  answer: (token: string | undefined) => Verdict<Principal | undefined> = () => allow(undefined)

  constructor(device: TestDevice, bridgeKey: KeyObject, connection: BoundConnection) {
    this.#device = device
    this.#bridgeKey = bridgeKey
    this.#bridgeKeyId = keyIdOf(bridgeKey)
    this.#connection = connection
    this.#tokenHash = hash('sha256', device.accessToken, 'base64url')
    this.connectionId = connection.connectionId
  }

  begin(): ExpectedProof {
    return this.#expected('connect', this.#tokenHash)
  }

  async renewal(_before: Principal, token: string | undefined): Promise<Verdict<RenewalFacts>> {
    const verdict = this.answer(token)
    if (!verdict.allowed) return verdict
    const tokenHash = token === undefined ? this.#tokenHash : hash('sha256', token, 'base64url')
    return allow({ expected: this.#expected('renew', tokenHash), principal: verdict.value })
  }

  renewed({ tokenHash }: ExpectedProof): void {
    this.#tokenHash = tokenHash
  }

  sign(bytes: Buffer): string {
    return sign(null, bytes, this.#bridgeKey).toString('base64url')
  }

  #expected(purpose: ExpectedProof['purpose'], tokenHash: string): ExpectedProof {
    const { userId, sessionId, deviceId, key } = this.#device
    const bridgeKeyId = this.#bridgeKeyId
    const connection = this.#connection
    return { purpose, connection, userId, sessionId, deviceId, keys: [key.public], bridgeKeyId, tokenHash }
  }
}

/** Renewals are due after ten minutes sharp: nothing is drawn for them. */
class EvenSystem extends FakeSystem {
  override randomBytes(countBytes: number): Buffer {
    return countBytes === 4 ? Buffer.alloc(4) : super.randomBytes(countBytes)
  }
}

/** Real connections, router, dispatcher, limiter and lockout; only time and sockets are fake. */
export class World {
  readonly system: FakeSystem = new EvenSystem()
  /** Reported as verified and not yet as ended. */
  readonly ready = new Set<ReadyConnection>()
  /** Verdict of the lockout on the last wrong answer. */
  lockedNow = false
  /** Verdict on a device whose proof is valid. */
  confirmed: Verdict<void> = allow(undefined)
  /** Calls from a socket. @returns a function that receives the outcome */
  onExecute = (): ((outcome: CallOutcome) => void) => () => {}
  #connections = 0
  readonly #inFlight = new InFlight()
  readonly #deadlines = new DeadlineQueue(this.system)
  readonly #log = callbackLog(() => {})
  readonly #blocks = new Blocklist()
  readonly #lockout = new ChallengeLockout(this.#blocks)
  readonly #exchanges = new ExchangeTable(this.system, this.#inFlight, {
    callTimeoutMs: CALL_TIMEOUT_MS,
    maxCallMs: CALL_TIMEOUT_MS,
    maxPendingCalls: MAX_PENDING,
  })
  readonly #gates = new CallGates(new RateLimiter(this.#blocks), this.#log, this.system, {
    began: () => {},
    recheck: () => undefined,
  })
  readonly #directory = new Directory(this.#exchanges, new MachineClients(), this.system)
  readonly #dispatcher = new Dispatcher(this.#directory, this.#gates, this.#log, this.#inFlight)

  connect(userId: string, sessionId: string, version: ProtocolVersion, lifetimeMs: number): RealPeer {
    const socket = new HandSocket()
    const principal = { userId, sessionId, expiresAtMs: this.system.nowMs() + lifetimeMs }
    const login = { principal, version, ip: '127.0.0.1', challengeAttempts: 3 }
    const options = {
      callTimeoutMs: CALL_TIMEOUT_MS,
      maxPendingCalls: MAX_PENDING,
      deadlines: this.#deadlines,
    }
    const listener = this.#listener(userId, () => connection.lockOut())
    const connection = new Connection(login, socket, listener, this.system, this.#log, options)
    socket.isReady = () => this.ready.has(connection)
    const challenge = String(socket.sent[0]?.challenge)
    const rightAnswer = createHash('sha256')
      .update(challenge + userId + sessionId)
      .digest('hex')
    return { connection, socket, rightAnswer }
  }

  /** Connects a device with the key that `device` returns. */
  connectDevice(
    device: TestDevice,
    bridgeKey: KeyObject,
    origin: string,
    expiresAtMs = this.system.nowMs() + HOUR_MS,
  ): RealPeer & { readonly proofs: HandProofs } {
    const socket = new HandSocket()
    const { userId, sessionId, deviceId } = device
    const principal = { userId, sessionId, deviceId, expiresAtMs }
    const connectionId = `connection-${++this.#connections}`
    const proofs = new HandProofs(device, bridgeKey, {
      connectionId,
      offeredSubprotocols: 'bridgekeeper.v2',
      dialled: [{ origin, path: '/api/mcp-ws' }],
      exporter: undefined,
    })
    const login = { principal, version: 'v2', ip: '127.0.0.1', challengeAttempts: 3, device: proofs } as const
    const options = {
      callTimeoutMs: CALL_TIMEOUT_MS,
      maxPendingCalls: MAX_PENDING,
      deadlines: this.#deadlines,
    }
    const listener = this.#listener(userId, () => connection.lockOut())
    const connection = new Connection(login, socket, listener, this.system, this.#log, options)
    socket.isReady = () => this.ready.has(connection)
    return { connection, socket, rightAnswer: connectionId, proofs }
  }

  /** @returns cancels the call */
  call(userId: string, settle: (outcome: CallOutcome) => void): () => void {
    const call: ToolCall = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
    return this.#dispatcher.call({ userId, sessionId: 'app' }, call, settle)
  }

  #listener(userId: string, lockOut: () => void): ConnectionListener {
    return {
      confirm: () => Promise.resolve(this.confirmed),
      verified: (connection) => {
        this.#lockout.passed(userId, 'here')
        this.ready.add(connection)
        this.#directory.registerConnection(connection)
      },
      challengeFailed: () => {
        this.lockedNow = this.#lockout.failed(userId, 'here', this.system.monotonicMs()) !== undefined
        if (this.lockedNow) lockOut()
      },
      ended: (connection) => {
        this.ready.delete(connection)
        this.#directory.remove(connection)
        this.#exchanges.cut(connection)
      },
      uncountedFrame: () => {},
      catalogChanged: (connection, catalog) => this.#directory.report(connection, catalog),
      exchangeFrame: (connection, frame) => this.#exchanges.received(connection, frame),
      endRefused: (connection, id, code) => this.#exchanges.endRefused(connection, id, code),
      execute: (_asker, call, settle, obstacle) => {
        const record = obstacle === undefined ? this.onExecute() : () => {}
        const ended = (outcome: CallOutcome): void => {
          record(outcome)
          settle(outcome)
        }
        return this.#dispatcher.call({ userId, sessionId: 'socket' }, call, ended, obstacle)
      },
    }
  }
}
