import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { closeCodes, codes, type ErrorCode } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import { strictTransport } from '../gates/front-door.ts'
import type { Denied } from '../gates/verdict.ts'
import { refusalBody, refusalHeaders } from '../refusal.ts'
import { webSocketServer } from './web-sockets.ts'

/** Reads only the closing handshake of a refused v1 peer. */
const refuser = webSocketServer({ maxFrameBytes: 1_024, closeMs: 1_000 }, WebSocket)

/**
 * Headers of every answer on the agents' path except a WebSocket: nothing to render, frame, guess or cache.
 */
export const plainHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'",
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
}

/** [WS.2] Refuses an upgrade as plain HTTP: the peer never gets a WebSocket. */
export function refuseWithHttp(socket: Duplex, denied: Denied): void {
  const status = codes[denied.code].http
  const body = refusalBody(denied)
  const head = Object.entries({
    ...plainHeaders,
    ...('encrypted' in socket && strictTransport),
    ...refusalHeaders(denied),
    'Content-Length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}`)
  socket.once('finish', () => socket.destroy())
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...head, '', body].join('\r\n'))
}

/** [WS.3] Refuses a v1 peer as it expects: the handshake is answered and the socket closed with 1008. */
export function refuseWithClose(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  code: ErrorCode,
): void {
  refuser.handleUpgrade(request, socket, head, (webSocket) => {
    webSocket.on('error', () => {})
    webSocket.close(closeCodes.policyViolation, code)
  })
}
