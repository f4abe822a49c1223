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
  const subprotocols = options.version === 'v2' ? [SUBPROTOCOL_V2] : []
  const agent = tunnelAgent(url)
  const socket = new WebSocket(url, subprotocols, {
    ...(agent !== undefined && { agent }),
    headers: { authorization: `Bearer ${options.token}` },
    followRedirects: false,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    // The library's own answers to pings would pile up uncounted.
    autoPong: false,
  })
  let ended = false
  let exporter: Buffer | undefined
  const end = (ending: Ending) => {
    if (ended) return
    ended = true
    handlers.onEnd(ending)
  }
  let queuedFrames = 0
  const sent = () => {
    queuedFrames--
  }
  const queue = (write: () => void) => {
    if (socket.readyState !== WebSocket.OPEN) return
    queuedFrames++
    write()
    if (queuedFrames <= MAX_QUEUED_FRAMES && socket.bufferedAmount <= MAX_QUEUED_BYTES) return
    end({ next: 'retry', reason: 'The bridge does not read the answers that it requested.' })
    socket.terminate()
  }
  const send = (frame: Buffer, binary: boolean, frameSent = () => {}) =>
    queue(() =>
      socket.send(frame, { binary }, () => {
        sent()
        frameSent()
      }),
    )

  socket.on('upgrade', (response) => {
    exporter = exporterOf(response.socket)
    // The library is about to refuse this handshake, since no subprotocol was picked of those offered.
    const picked = response.headers['sec-websocket-protocol']
    if (options.version === 'v2' && picked === undefined) end({ next: 'speak-v1' })
  })
  socket.on('unexpected-response', (request, response) => {
    readBody(response, (body) => {
      end(
        endingOfHttp({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body }),
      )
      request.destroy()
    })
  })
  socket.on('open', () => {
    if (!ended) handlers.onOpen(exporter)
  })
  socket.on('message', (data, isBinary) => {
    if (ended || !Buffer.isBuffer(data)) return
    if (isBinary) handlers.onChunk(data)
    else handlers.onFrame(data)
  })
  socket.on('ping', (data) => queue(() => socket.pong(data, true, sent)))
  socket.on('error', (error) => end(endingOfError(error)))
  socket.on('close', (code, reason) => end(endingOfClose(code, reason.toString('utf8'))))

  return {
    send: (frame, frameSent) => send(frame, false, frameSent),
    sendChunk: (frame, chunkSent) => send(frame, true, chunkSent),
    close: () => socket.close(GOING_AWAY),
    terminate: () => socket.terminate(),
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
  response.once('error', finish)
}
