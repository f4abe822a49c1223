import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { closeCodes, codes, limits, type ProtocolVersion, SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import type { WebSocket } from 'ws'
import {
  type Admission,
  Connection,
  type ConnectionListener,
  type ConnectionOptions,
} from '../connection/connection.ts'
import { credentialGate, credentialSources } from '../gates/credential.ts'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, System } from '../ports.ts'
import { errorBody, plainHeaders, refuseWithClose, refuseWithHttp } from './refuse.ts'
import { webSocketServer } from './web-sockets.ts'

export const AGENT_PATH = '/api/mcp-ws'

/** A peer that does not answer our close is cut after this. */
const CLOSE_MS = 2_000

/** Where agents connect: authenticates before the handshake is answered, then hands the socket over. */
export class AgentEndpoint {
  readonly #authenticator: Authenticator
  readonly #listener: ConnectionListener
  readonly #system: System
  readonly #options: ConnectionOptions
  readonly #connections = new Set<Connection>()
  readonly #webSockets = webSocketServer(
    { maxFrameBytes: limits.frameBytes, closeMs: CLOSE_MS },
    (offered) => (offered.has(SUBPROTOCOL_V2) ? SUBPROTOCOL_V2 : false),
  )
  #draining = false

  constructor(
    authenticator: Authenticator,
    listener: ConnectionListener,
    system: System,
    options: ConnectionOptions,
  ) {
    this.#authenticator = authenticator
    this.#listener = listener
    this.#system = system
    this.#options = options
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
    const admission = await this.#admit(request, version)
    if (socket.destroyed) return
    if (admission.allowed) {
      return this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.#open(admission.value, webSocket, socket),
      )
    }
    const isPeersFault = codes[admission.code].http < 500
    if (version === 'v1' && isPeersFault) refuseWithClose(request, socket, head, admission.code)
    else refuseWithHttp(socket, admission)
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
    for (const connection of [...this.#connections]) connection.drain()
  }

  async #admit(request: IncomingMessage, version: ProtocolVersion): Promise<Verdict<Admission>> {
    const token = credentialGate(credentialSources(request))
    if (!token.allowed) return token
    try {
      const principal = await this.#authenticator.authenticate(token.value)
      if (!principal.allowed) return principal
      return this.#draining ? deny('shutting_down') : allow({ principal: principal.value, version })
    } catch {
      return deny('internal_error')
    }
  }

  #open(admission: Admission, webSocket: WebSocket, socket: Duplex): void {
    let corked = false
    const uncork = (): void => {
      corked = false
      socket.uncork()
    }
    const agentSocket = {
      send(frame: Buffer, more = false) {
        // [SIZE.6] A peer that does not read must not fill our memory.
        if (webSocket.bufferedAmount > limits.sendBufferBytes) return webSocket.terminate()
        // Frames of one turn of the event loop leave in one write.
        if (more && !corked) {
          corked = true
          socket.cork()
          setImmediate(uncork)
        }
        webSocket.send(frame, { binary: false })
      },
      close: (code: number, reason: string) => webSocket.close(code, reason),
    }
    webSocket.on('error', () => {})
    const stopCounting = capUnverifiedBytes(webSocket, socket)
    const listener: ConnectionListener = {
      verified: (ready) => {
        stopCounting()
        this.#listener.verified(ready)
      },
      ended: (ready) => this.#listener.ended(ready),
      execute: (ready, call, settle) => this.#listener.execute(ready, call, settle),
    }
    const connection = new Connection(admission, agentSocket, listener, this.#system, this.#options)
    this.#connections.add(connection)
    // [WS.6] A fault of ours in one connection must not take the others down with the process.
    const guarded = (handle: () => void): void => {
      try {
        handle()
      } catch {
        webSocket.close(closeCodes.internalError, 'internal_error')
      }
    }
    webSocket.on('message', (data: Buffer, isBinary) => guarded(() => connection.receive(data, isBinary)))
    webSocket.on('close', () => {
      this.#connections.delete(connection)
      guarded(() => connection.socketClosed())
    })
  }
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
