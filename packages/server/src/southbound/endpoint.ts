import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  closeCodes,
  codes,
  type ErrorCode,
  limits,
  type ProtocolVersion,
  SUBPROTOCOL_V2,
} from '@bridgekeeper/protocol'
import type { WebSocket } from 'ws'
import type { Admission, AdmittedAgent } from '../admission/admission.ts'
import type { DeviceProofs } from '../admission/devices.ts'
import type { Use } from '../admission/logins.ts'
import {
  Connection,
  type ConnectionListener,
  type ConnectionOptions,
  type ReadyConnection,
} from '../connection/connection.ts'
import { type Denied, deny, type Verdict } from '../gates/verdict.ts'
import type { Principal, SecurityLog, System } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import { channelOf } from './channel.ts'
import { Liveness } from './liveness.ts'
import { errorBody, plainHeaders, refuseWithClose, refuseWithHttp } from './refuse.ts'
import { SocketWriter } from './socket-writer.ts'
import { webSocketServer } from './web-sockets.ts'

export const AGENT_PATH = '/api/mcp-ws'

/** A peer that does not answer our close is cut after this. */
const CLOSE_MS = 2_000
/** One whose login was revoked is cut sooner: within a second its socket is gone. */
const REVOKED_CLOSE_MS = 500

/** What becomes of agents that were let in. */
export interface AgentListener extends Omit<ConnectionListener, 'challengeFailed' | 'confirm'> {
  /** The connection that a new one of the same login would replace. */
  earlier(principal: Principal): ReadyConnection | undefined
  /** The device was revoked, since its key was copied: all that is open of it must end, wherever it is. */
  copied(deviceId: string): void
}

/** Blocks and floods are told in plain HTTP to everybody: they must cost little, and say when to come again. */
const NEVER_BY_CLOSE: ReadonlySet<ErrorCode> = new Set([
  'address_blocked',
  'challenge_locked',
  'handshake_rate_exceeded',
  'too_many_connections',
])

/** Where agents connect: has them admitted before the handshake is answered, then hands the socket over. */
export class AgentEndpoint {
  readonly #admission: Admission
  readonly #listener: AgentListener
  readonly #system: System
  readonly #log: SecurityLog
  readonly #options: ConnectionOptions
  readonly #connections = new Map<Connection, AdmittedAgent>()
  readonly #liveness: Liveness
  readonly #webSockets = webSocketServer(
    { maxFrameBytes: limits.frameBytes, closeMs: CLOSE_MS },
    (offered) => (offered.has(SUBPROTOCOL_V2) ? SUBPROTOCOL_V2 : false),
  )
  #draining = false

  constructor(
    admission: Admission,
    listener: AgentListener,
    system: System,
    log: SecurityLog,
    options: ConnectionOptions,
  ) {
    this.#admission = admission
    this.#listener = listener
    this.#system = system
    this.#log = log
    this.#options = options
    this.#liveness = new Liveness(system)
  }

  /** Takes an upgrade request to its end. Never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // [WS.4] From the first tick: an error on a socket nobody listens to would end the process.
    socket.on('error', () => socket.destroy())
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

  /** Answers the handshake, unless the last place has just been taken. */
  #letIn(agent: AdmittedAgent, request: IncomingMessage, socket: Duplex, head: Buffer): Denied | undefined {
    const place = this.#admission.enter(agent)
    if (!place.allowed) return place
    socket.once('close', place.value)
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#open(agent, webSocket, socket))
    return undefined
  }

  /** [WS.1] A request that is no upgrade gets 426 with security headers. */
  explain(response: ServerResponse): void {
    response.writeHead(426, {
      ...plainHeaders,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Content-Type': 'application/json',
    })
    response.end(errorBody(deny('upgrade_required')))
  }

  /** Admits nobody any more; who is there stays. */
  refuseNew(): void {
    this.#draining = true
  }

  /** Closes every connection, verified or not. */
  closeAll(): void {
    this.#liveness.stop()
    for (const connection of [...this.#connections.keys()]) connection.drain()
  }

  async #admit(
    request: IncomingMessage,
    socket: Duplex,
    version: ProtocolVersion,
  ): Promise<Verdict<AdmittedAgent>> {
    try {
      const admitted = await this.#admission.admitAgent(request, version, channelOf(request, socket))
      return admitted.allowed && this.#draining ? deny('shutting_down') : admitted
    } catch {
      return deny('internal_error')
    }
  }

  #open(agent: AdmittedAgent, webSocket: WebSocket, socket: Duplex): void {
    const stopCounting = capUnverifiedBytes(webSocket, socket)
    this.#admission.opened(agent)
    const record = this.#recorder(agent)
    const writer = new SocketWriter(webSocket, socket, this.#system, {
      slow: (size) => {
        connection.slow = true
        record({ event: 'ws_slow_reader', size })
      },
      readingAgain: () => {
        connection.slow = false
      },
      stuck: (size) => record({ event: 'ws_slow_reader', size }),
    })
    const connection = this.#connection(agent, writer, () => {
      stopCounting()
      this.#liveness.watch(webSocket, () => record({ event: 'ws_connection_unresponsive' }))
    })
    this.#connections.set(connection, agent)
    const use = this.#use(connection, webSocket)
    if (!agent.login.open(use)) use.revoked()
    // [WS.6] A fault of ours in one connection must not take the others down with the process.
    const guarded = (handle: () => void): void => {
      try {
        handle()
      } catch (error) {
        record({ event: 'ws_error', error: `internal_error ${nameOf(error)}` })
        webSocket.close(closeCodes.internalError, 'internal_error')
      }
    }
    webSocket.on('error', (error) => record({ event: 'ws_error', error: error.message }))
    webSocket.on('message', (data: Buffer, isBinary) => guarded(() => connection.receive(data, isBinary)))
    webSocket.on('close', (code, reason) => {
      this.#connections.delete(connection)
      agent.login.close(use)
      guarded(() => connection.socketClosed(code, reason.toString('utf8')))
    })
  }

  #connection(agent: AdmittedAgent, writer: SocketWriter, onVerified: () => void): Connection {
    const { principal, version, address, seen, device } = agent
    const listener: ConnectionListener = {
      confirm: (connection, previous) => this.#confirm(connection, device, previous),
      verified: (ready) => {
        onVerified()
        this.#admission.challengePassed(agent)
        this.#listener.verified(ready)
      },
      challengeFailed: () => {
        if (this.#admission.challengeFailed(agent)) this.#lockOut(agent)
      },
      ended: (ready) => this.#listener.ended(ready),
      execute: (ready, call, settle) => this.#listener.execute(ready, call, settle),
    }
    const challengeAttempts = seen.mustProve ? 1 : limits.challengeAttempts
    const login = { principal, version, ip: address.ip, challengeAttempts, device }
    return new Connection(login, writer, listener, this.#system, this.#log, this.#options)
  }

  /**
   * [PROOF.9] Whether the device is the one that was enrolled. Its earlier connection that is still open here is
   * one that it remembers for certain, once it has sent its catalog: it puts the connection down before that.
   */
  async #confirm(
    connection: Connection,
    device: DeviceProofs | undefined,
    previous: string,
  ): Promise<Verdict<void>> {
    const { principal } = connection
    const earlier = this.#listener.earlier(principal)
    const certain = earlier?.catalog === undefined ? undefined : earlier.connectionId
    const confirmed = (await device?.confirm(principal, previous, certain)) ?? deny('device_unknown')
    if (confirmed.allowed || confirmed.code !== 'device_key_copied') return confirmed
    for (const one of [connection, earlier]) one?.revoke('device_key_copied')
    this.#listener.copied(principal.deviceId ?? '')
    return confirmed
  }

  /** [REVOKE.1] The end of its login ends the connection in any state; whoever does not hear it is cut off. */
  #use(connection: Connection, webSocket: WebSocket): Use {
    return {
      place: 0,
      revoked: () => {
        connection.revoke()
        this.#system.after(REVOKED_CLOSE_MS, () => webSocket.terminate())
      },
    }
  }

  /** [CHAL.6] A lock also ends the challenges that are open: each of them would be three more attempts. */
  #lockOut({ principal: { userId }, address: { key } }: AdmittedAgent): void {
    for (const [connection, { principal, address }] of [...this.#connections])
      if (principal.userId === userId && address.key === key) connection.lockOut()
  }

  #recorder({ principal: { userId }, address: { ip } }: AdmittedAgent): (event: SecurityEvent) => void {
    return (event) => this.#log.logSecurityEvent({ ...event, userId, ip })
  }
}

/** A fault's text may hold what a peer sent; its kind does not. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

function offeredVersion(request: IncomingMessage): ProtocolVersion {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',')
  return offered.some((name) => name.trim() === SUBPROTOCOL_V2) ? 'v2' : 'v1'
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
