import { createHash } from 'node:crypto'
import type { ProtocolVersion } from '@bridgekeeper/protocol'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { callbackLog } from '../../src/adapters/memory/security-log.ts'
import type { CallOutcome, ToolCall } from '../../src/calls/outcome.ts'
import {
  type AgentSocket,
  Connection,
  type ConnectionListener,
  type ReadyConnection,
} from '../../src/connection/connection.ts'
import { Blocklist } from '../../src/gates/blocklist.ts'
import { ChallengeLockout } from '../../src/gates/lockout.ts'
import { RateLimiter } from '../../src/gates/rate-limit.ts'
import { Dispatcher } from '../../src/router/dispatcher.ts'
import { Router } from '../../src/router/router.ts'

export const CALL_TIMEOUT_MS = 10_007.5
export const MAX_PENDING = 2

type Frame = Readonly<Record<string, unknown>> & { readonly type: string }

/** A socket whose frames and close stay where they were put until the test looks. */
export class HandSocket implements AgentSocket {
  readonly sent: (Frame & { readonly whileReady: boolean })[] = []
  closedWith: string | undefined
  isReady = (): boolean => false

  send(frame: Buffer): void {
    this.sent.push({ ...(JSON.parse(frame.toString('utf8')) as Frame), whileReady: this.isReady() })
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
  /** What the challenge asks for. */
  readonly rightAnswer: string
}

/** Real connections, router, dispatcher, limiter and lockout; only time and sockets are by hand. */
export class World {
  readonly system = new FakeSystem()
  /** Reported as verified and not yet as ended. */
  readonly ready = new Set<ReadyConnection>()
  /** What the lockout said to the last wrong answer. */
  lockedNow = false
  /** A socket asks for a call. @returns is told how the call ends */
  onExecute = (): ((outcome: CallOutcome) => void) => () => {}
  readonly #router = new Router()
  readonly #log = callbackLog(() => {})
  readonly #blocks = new Blocklist()
  readonly #lockout = new ChallengeLockout(this.#blocks)
  readonly #dispatcher = new Dispatcher(
    this.#router,
    new RateLimiter(this.#blocks),
    this.#log,
    this.system,
    () => {},
  )

  connect(userId: string, sessionId: string, version: ProtocolVersion, lifetimeMs: number): RealPeer {
    const socket = new HandSocket()
    const principal = { userId, sessionId, expiresAtMs: this.system.nowMs() + lifetimeMs }
    const login = { principal, version, ip: '127.0.0.1', challengeAttempts: 3 }
    const options = { callTimeoutMs: CALL_TIMEOUT_MS, maxPendingCalls: MAX_PENDING }
    const listener = this.#listener(userId, () => connection.lockOut())
    const connection = new Connection(login, socket, listener, this.system, this.#log, options)
    socket.isReady = () => this.ready.has(connection)
    const challenge = String(socket.sent[0]?.challenge)
    const rightAnswer = createHash('sha256')
      .update(challenge + userId + sessionId)
      .digest('hex')
    return { connection, socket, rightAnswer }
  }

  /** @returns cancels the call */
  call(userId: string, settle: (outcome: CallOutcome) => void): () => void {
    const call: ToolCall = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
    return this.#dispatcher.call({ userId, sessionId: 'app' }, call, settle)
  }

  #listener(userId: string, lockOut: () => void): ConnectionListener {
    return {
      verified: (connection) => {
        this.#lockout.passed(userId, 'here')
        this.ready.add(connection)
        this.#router.verified(connection)
      },
      challengeFailed: () => {
        this.lockedNow = this.#lockout.failed(userId, 'here', this.system.monotonicMs()) !== undefined
        if (this.lockedNow) lockOut()
      },
      ended: (connection) => {
        this.ready.delete(connection)
        this.#router.ended(connection)
      },
      execute: (_asker, call, settle) => {
        const record = this.onExecute()
        return this.#dispatcher.call({ userId, sessionId: 'socket' }, call, (outcome) => {
          record(outcome)
          settle(outcome)
        })
      },
    }
  }
}
