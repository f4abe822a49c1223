import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { limits, type ProtocolVersion, SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import { tunnelAgent } from '../proxy/tunnel.ts'
import { type Ending, endingOfClose, endingOfError, endingOfHttp } from './ending.ts'

export interface SocketHandlers {
  /** @param exporter of TLS 1.3 (RFC 9266) */
  readonly onOpen: (exporter: Buffer | undefined) => void
  readonly onFrame: (frame: Buffer) => void
  /** Receives a binary frame. */
  readonly onChunk: (frame: Buffer) => void
  /** Called once; nothing is called after it. */
  readonly onEnd: (ending: Ending) => void
}

/** A socket to the bridge, reduced to the needs of the link. */
export interface Socket {
  /**
   * Queues a frame. Closes the connection if the bridge leaves too much unread: see `onEnd`.
   * @param sent called when the network has taken it, or the connection has ended
   */
  send(frame: Buffer, sent?: () => void): void
  /** Queues a binary frame. @param sent called when the network has taken it, or the connection has ended */
  sendChunk(frame: Buffer, sent: () => void): void
  /** Starts the closing handshake. */
  close(): void
  /** Ends it without the other side's help. */
  terminate(): void
}

const HANDSHAKE_MS = 10_000
const MAX_BODY_BYTES = 16_384
const GOING_AWAY = 1001
/** Limit of sent bytes that the network has not accepted yet. */
export const MAX_QUEUED_BYTES = 64 * 1_048_576
/** Limit of the same in frames: each uses a few hundred bytes of memory in addition to its content. */
export const MAX_QUEUED_FRAMES = 16_384

/**
 * Dials the bridge, through the proxy of the environment if there is one. `onEnd` reports every failure.
 *
 * @throws AgentError `proxy_invalid`
 */
export function dial(
  url: string,
  options: { readonly token: string; readonly version: ProtocolVersion },
  handlers: SocketHandlers,
): Socket {
  const agent = tunnelAgent(url)
  const webSocket = new WebSocket(url, options.version === 'v2' ? [SUBPROTOCOL_V2] : [], {
    ...(agent !== undefined && { agent }),
    headers: { authorization: `Bearer ${options.token}` },
    followRedirects: false,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    // The library's own answers to pings would pile up uncounted.
    autoPong: false,
  })
  return new DialledSocket(webSocket, options.version, handlers)
}

/** Counts what the network has not taken, and reports one end only. */
class DialledSocket implements Socket {
  readonly #webSocket: WebSocket
  readonly #version: ProtocolVersion
  readonly #handlers: SocketHandlers
  #exporter: Buffer | undefined
  #queuedFrames = 0
  #hasEnded = false

  constructor(webSocket: WebSocket, version: ProtocolVersion, handlers: SocketHandlers) {
    this.#webSocket = webSocket
    this.#version = version
    this.#handlers = handlers
    this.#listen()
  }

  send(frame: Buffer, sent?: () => void): void {
    this.#write(frame, false, sent)
  }

  sendChunk(frame: Buffer, sent: () => void): void {
    this.#write(frame, true, sent)
  }

  close(): void {
    this.#webSocket.close(GOING_AWAY)
  }

  terminate(): void {
    this.#webSocket.terminate()
  }

  #listen(): void {
    const webSocket = this.#webSocket
    webSocket.on('upgrade', (response) => this.#upgraded(response))
    webSocket.on('unexpected-response', (request, response) => {
      readBody(response, (body) => {
        const { statusCode: status = 0, headers } = response
        this.#end(endingOfHttp({ status, retryAfter: headers['retry-after'], body }))
        request.destroy()
      })
    })
    webSocket.on('open', () => this.#handlers.onOpen(this.#exporter))
    webSocket.on('message', (data, isBinary) => {
      if (this.#hasEnded || !Buffer.isBuffer(data)) return
      if (isBinary) this.#handlers.onChunk(data)
      else this.#handlers.onFrame(data)
    })
    webSocket.on('ping', (data) => this.#queue((sent) => webSocket.pong(data, true, sent)))
    webSocket.on('error', (error) => this.#end(endingOfError(error)))
    webSocket.on('close', (code, reason) => this.#end(endingOfClose(code, reason.toString('utf8'))))
  }

  #upgraded({ socket, headers }: IncomingMessage): void {
    this.#exporter = exporterOf(socket)
    // The library is about to refuse this handshake, since no subprotocol was picked of those offered.
    const picked = headers['sec-websocket-protocol']
    if (this.#version === 'v2' && picked === undefined) this.#end({ next: 'speak-v1' })
  }

  #write(frame: Buffer, binary: boolean, frameSent = (): void => {}): void {
    this.#queue((sent) =>
      this.#webSocket.send(frame, { binary }, () => {
        sent()
        frameSent()
      }),
    )
  }

  /** @param write sends one frame, and calls `sent` when the network has taken it */
  #queue(write: (sent: () => void) => void): void {
    const webSocket = this.#webSocket
    if (webSocket.readyState !== WebSocket.OPEN) return
    this.#queuedFrames++
    write(() => this.#queuedFrames--)
    if (this.#queuedFrames <= MAX_QUEUED_FRAMES && webSocket.bufferedAmount <= MAX_QUEUED_BYTES) return
    this.#end({ next: 'retry', reason: 'The bridge does not read the answers that it requested.' })
    webSocket.terminate()
  }

  #end(ending: Ending): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#handlers.onEnd(ending)
  }
}

/** Source: RFC 9266 section 2. */
function exporterOf(socket: unknown): Buffer | undefined {
  if (!(socket instanceof TLSSocket) || socket.getProtocol() !== 'TLSv1.3') return undefined
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
}

/** Reads as much of a refusal as its code can need. */
function readBody(response: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  const finish = () => done(Buffer.concat(chunks).toString('utf8'))
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) finish()
  })
  response.once('close', finish)
}
