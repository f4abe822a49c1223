import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { codes, type ErrorCode, limits, type ProtocolVersion, SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import type { Admission, AdmittedAgent } from '../admission/admission.ts'
import { DeadlineQueue } from '../collections/deadline-queue.ts'
import type { ConnectionOptions } from '../connection/connection-listener.ts'
import { type Denied, deny, type Verdict } from '../gates/verdict.ts'
import type { SecurityLog, System } from '../ports.ts'
import { refusalBody } from '../refusal.ts'
import { AgentWebSocket } from './agent-web-socket.ts'
import { channelBindingOf } from './channel-binding.ts'
import { Liveness } from './liveness.ts'
import { type AgentListener, type AgentServices, OpenAgent } from './open-agent.ts'
import { plainHeaders, refuseWithClose, refuseWithHttp } from './refuse.ts'
import { webSocketServer } from './web-sockets.ts'

/** A peer that does not answer our close is cut after this. */
const CLOSE_MS = 2_000
/** Refused in plain HTTP for every peer, because these refusals must be cheap and carry Retry-After. */
const NEVER_BY_CLOSE: ReadonlySet<ErrorCode> = new Set([
  'address_blocked',
  'challenge_locked',
  'handshake_rate_exceeded',
  'too_many_connections',
])

/** The agents' endpoint: admits an agent before it answers the handshake, then hands the socket over. */
export class AgentEndpoint {
  readonly #log: SecurityLog
  readonly #shared: AgentServices
  readonly #webSockets = webSocketServer(
    { maxFrameBytes: limits.frameBytes, closeMs: CLOSE_MS },
    AgentWebSocket,
    (offered) => (offered.has(SUBPROTOCOL_V2) ? SUBPROTOCOL_V2 : false),
  )
  #draining = false

  constructor(
    admission: Admission,
    listener: AgentListener,
    system: System,
    log: SecurityLog,
    options: Omit<ConnectionOptions, 'deadlines'>,
  ) {
    this.#log = log
    const open = new Set<OpenAgent>()
    this.#shared = {
      admission,
      listener,
      system,
      log,
      liveness: new Liveness(system, open),
      options: { ...options, deadlines: new DeadlineQueue(system) },
      open,
    }
  }

  /** Handles an upgrade request. Never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // [WS.4] An error on a socket without a listener would end the process.
    socket.on('error', destroyThis)
    try {
      await this.#upgrade(request, socket, head)
    } catch {
      socket.destroy()
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const version = offeredVersion(request)
    const admitted = await this.#admit(request, socket, version)
    if (socket.destroyed) return
    const refused = admitted.allowed ? this.#letIn(admitted.value, request, socket, head) : admitted
    if (refused === undefined) return
    const { code } = refused
    const toldByClose = version === 'v1' && codes[code].http < 500 && !NEVER_BY_CLOSE.has(code)
    this.#log.afterWritten(() => {
      if (toldByClose) refuseWithClose(request, socket, head, code)
      else refuseWithHttp(socket, refused)
    })
  }

  /** Answers the handshake, unless the last connection slot has just been taken. */
  #letIn(agent: AdmittedAgent, request: IncomingMessage, socket: Duplex, head: Buffer): Denied | undefined {
    const entered = this.#shared.admission.enter(agent)
    if (!entered.allowed) return entered
    let isOpen = false
    try {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        OpenAgent.open(agent, webSocket, socket, this.#shared)
        isOpen = true
        // The WebSocket has its own listener now.
        socket.off('error', destroyThis)
      })
    } finally {
      // `ws` answers an invalid handshake itself. Then no socket will end later.
      if (!isOpen) this.#shared.admission.left(agent.login, agent.address)
    }
    return undefined
  }

  /** [WS.1] Answers a request without an upgrade with 426 and security headers. */
  explain(response: ServerResponse): void {
    response.writeHead(426, {
      ...plainHeaders,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Content-Type': 'application/json',
    })
    response.end(refusalBody(deny('upgrade_required')))
  }

  /** Stops admitting; open connections stay. */
  refuseNew(): void {
    this.#draining = true
  }

  /** Closes every connection, verified or not. */
  closeAll(): void {
    this.#shared.liveness.stop()
    for (const { connection } of [...this.#shared.open]) connection.drain()
  }

  async #admit(
    request: IncomingMessage,
    socket: Duplex,
    version: ProtocolVersion,
  ): Promise<Verdict<AdmittedAgent>> {
    try {
      const admitted = await this.#shared.admission.admitAgent(
        request,
        version,
        channelBindingOf(request, socket),
      )
      return admitted.allowed && this.#draining ? deny('shutting_down') : admitted
    } catch {
      return deny('internal_error')
    }
  }
}

function offeredVersion(request: IncomingMessage): ProtocolVersion {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',')
  return offered.some((name) => name.trim() === SUBPROTOCOL_V2) ? 'v2' : 'v1'
}

/** [WS.4] Shared by all sockets. */
function destroyThis(this: Duplex): void {
  this.destroy()
}
