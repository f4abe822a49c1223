import type { Duplex } from 'node:stream'
import { closeCodes, type ErrorCode, limits } from '@bridgekeeper/protocol'
import type { WebSocket } from 'ws'
import type { Admission, AdmittedAgent } from '../admission/admission.ts'
import type { OpenItem, OpenLogin } from '../admission/open-logins.ts'
import type { Catalog } from '../connection/catalog-parts.ts'
import { Connection } from '../connection/connection.ts'
import type {
  ConnectionListener,
  ConnectionOptions,
  ProvenConnection,
} from '../connection/connection-listener.ts'
import type { ExchangeFrame } from '../connection/life.ts'
import type { ReadyConnection } from '../connection/ready-connection.ts'
import type { ClientAddress } from '../gates/request-facts.ts'
import { deny, type Verdict } from '../gates/verdict.ts'
import { Allowance, FRAME_ALLOWANCE } from '../limiters/allowance.ts'
import type { Principal, SecurityLog, System } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import type { AgentWebSocket, WebSocketListener } from './agent-web-socket.ts'
import type { Liveness, Pinged } from './liveness.ts'

/** Time that a revoked agent has for the closing handshake; its socket is gone within a second. */
const REVOKED_CLOSE_MS = 500

interface EarlierConnection {
  readonly connection: Pick<ReadyConnection, 'connectionId' | 'revoke'>
  readonly catalog: unknown
}

/** Receives events of admitted agents. */
export interface AgentListener
  extends Omit<ConnectionListener, 'challengeFailed' | 'confirm' | 'uncountedFrame'> {
  /** The connection that a new one of the same login would replace, and the catalog that it has sent. */
  earlier(principal: Principal): EarlierConnection | undefined
  /** Called when a device was revoked because its key was copied, to close its connections on every node. */
  copied(deviceId: string): void
}

/** Parts that all agents share. */
export interface AgentServices {
  readonly admission: Admission
  readonly listener: AgentListener
  readonly system: System
  readonly log: SecurityLog
  readonly liveness: Liveness
  readonly options: ConnectionOptions
  readonly open: Set<OpenAgent>
}

/**
 * An agent that has a socket: everything that belongs to it alone, and what happens to its socket. Ten thousand
 * of them may be idle, so it is one object.
 */
export class OpenAgent implements ConnectionListener, WebSocketListener, Pinged, OpenItem {
  unanswered = 0
  readonly connection: Connection
  readonly #login: OpenLogin
  readonly #address: ClientAddress
  /** Result of admission, until the challenge is passed. */
  #admitted: AdmittedAgent | undefined
  readonly #webSocket: AgentWebSocket
  readonly #shared: AgentServices
  #stopCounting: (() => void) | undefined
  #frames: Allowance | undefined

  /** Opens an agent, which ends with its socket. */
  static open(
    agent: AdmittedAgent,
    webSocket: AgentWebSocket,
    socket: Duplex,
    services: AgentServices,
  ): OpenAgent {
    return new OpenAgent(agent, webSocket, socket, services)
  }

  private constructor(
    agent: AdmittedAgent,
    webSocket: AgentWebSocket,
    socket: Duplex,
    services: AgentServices,
  ) {
    this.#login = agent.login
    this.#address = agent.address
    this.#admitted = agent
    this.#shared = services
    this.#webSocket = webSocket
    this.#stopCounting = capUnverifiedBytes(webSocket, socket)
    services.admission.opened(agent)
    webSocket.begin({ listener: this, socket, system: services.system })
    const { principal, version, address, seen, device } = agent
    const challengeAttempts = seen.mustProve ? 1 : limits.challengeAttempts
    const login = { principal, version, ip: address.ip, challengeAttempts, device }
    this.connection = new Connection(login, webSocket, this, services.system, services.log, services.options)
    services.open.add(this)
    if (!agent.login.open(this)) this.revoked()
  }

  received(data: Buffer, isBinary: boolean): void {
    this.unanswered = 0
    try {
      this.connection.receive(data, isBinary)
    } catch (error) {
      this.#fault(error)
    }
  }

  ended(ready: ReadyConnection): void {
    this.#shared.listener.ended(ready)
  }

  catalogChanged(ready: ReadyConnection, catalog: Catalog): void {
    this.#shared.listener.catalogChanged(ready, catalog)
  }

  /** [LIVE.1] An unverified agent is not pinged; the challenge's deadline covers it. */
  get isPinged(): boolean {
    return this.#admitted === undefined
  }

  pinged(): void {
    this.uncountedFrame(0)
  }

  /** [LOAD.6] An agent that sends more than calls need is read from more slowly. */
  uncountedFrame(sizeBytes: number): void {
    const nowMs = this.#shared.system.monotonicMs()
    this.#frames ??= new Allowance(FRAME_ALLOWANCE)
    this.#frames.charge(this.#frames.unitsOf(sizeBytes), nowMs)
    const waitMs = this.#frames.leftMs(1, nowMs)
    if (waitMs > 0) this.#webSocket.pauseFor(waitMs)
  }

  ponged(): void {
    this.unanswered = 0
  }

  failed(error: Error): void {
    this.record({ event: 'ws_error', error: error.message })
  }

  closed(code: number, reason: Buffer): void {
    const { open, admission } = this.#shared
    open.delete(this)
    this.#login.close(this)
    admission.left(this.#login, this.#address)
    try {
      this.connection.socketClosed(code, reason.toString('utf8'))
    } catch (error) {
      this.#fault(error)
    }
  }

  verified(ready: ReadyConnection): void {
    const { liveness, admission, listener } = this.#shared
    this.#stopCounting?.()
    this.#stopCounting = undefined
    this.unanswered = 0
    liveness.begin()
    if (this.#admitted !== undefined) admission.challengePassed(this.#admitted)
    this.#admitted = undefined
    listener.verified(ready)
  }

  challengeFailed(): void {
    if (this.#shared.admission.challengeFailed(this.#login, this.#address)) this.#lockOut()
  }

  exchangeFrame(ready: ReadyConnection, frame: ExchangeFrame): boolean {
    return this.#shared.listener.exchangeFrame(ready, frame)
  }

  endRefused(ready: ReadyConnection, id: string, code: ErrorCode): void {
    this.#shared.listener.endRefused(ready, id, code)
  }

  execute(...asked: Parameters<ConnectionListener['execute']>): () => void {
    return this.#shared.listener.execute(...asked)
  }

  /**
   * [PROOF.9] Whether the device is the enrolled one. If its earlier connection is open here and has sent its
   * catalog, the device has recorded it before, so it is certain.
   */
  async confirm(connection: ProvenConnection, previous: string): Promise<Verdict<void>> {
    const { principal } = connection
    const { listener } = this.#shared
    const earlier = listener.earlier(principal)
    const certain = earlier?.catalog === undefined ? undefined : earlier.connection.connectionId
    const confirmed =
      (await this.#admitted?.device?.confirm(principal, previous, certain)) ?? deny('device_unknown')
    if (confirmed.allowed || confirmed.code !== 'device_key_copied') return confirmed
    for (const one of [connection, earlier?.connection]) one?.revoke('device_key_copied')
    listener.copied(principal.deviceId ?? '')
    return confirmed
  }

  slow(size: number): void {
    this.connection.slow = true
    this.record({ event: 'ws_slow_reader', size })
  }

  readingAgain(): void {
    this.connection.slow = false
  }

  stuck(size: number): void {
    this.record({ event: 'ws_slow_reader', size })
  }

  ping(): void {
    this.#webSocket.ping()
  }

  cutOff(): void {
    this.record({ event: 'ws_connection_unresponsive' })
    this.#webSocket.terminate()
  }

  /**
   * [REVOKE.1] A revoked login ends its connection in any state; a peer that does not close is disconnected.
   */
  revoked(): void {
    this.connection.revoke()
    this.#shared.system.after(REVOKED_CLOSE_MS, () => this.#webSocket.terminate())
  }

  record(event: SecurityEvent): void {
    this.#shared.log.logSecurityEvent({ ...event, userId: this.#login.userId, ip: this.#address.ip })
  }

  /** [WS.6] Contains an internal error of one connection, which must not end the process and the others. */
  #fault(error: unknown): void {
    this.record({ event: 'ws_error', error: `internal_error ${nameOf(error)}` })
    this.#webSocket.close(closeCodes.internalError, 'internal_error')
  }

  /** [CHAL.6] A lock also ends open challenges, each of which would allow three more attempts. */
  #lockOut(): void {
    const { userId } = this.#login
    for (const other of [...this.#shared.open])
      if (other.#login.userId === userId && other.#address.key === this.#address.key)
        other.connection.lockOut()
  }
}

/** A fault's text may hold what a peer sent; its kind does not. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

/**
 * [SIZE.3] The state machine counts whole messages; this counts bytes, so that a frame which never
 * ends is cut before it is buffered.
 */
function capUnverifiedBytes(webSocket: WebSocket, socket: Duplex): () => void {
  let leftBytes: number = limits.unverifiedBytes
  const count = (chunk: Buffer): void => {
    leftBytes -= chunk.length
    if (leftBytes < 0) webSocket.terminate()
  }
  socket.on('data', count)
  return () => socket.off('data', count)
}
