import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  type Chunk,
  type DownMessage,
  decodeChunk,
  encodeChunk,
  limits,
  SUBPROTOCOL_V2,
} from '@bridgekeeper/protocol'
import { onTestFinished } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { type TestCertificate, trust } from '../../../../test/support/certificates.ts'
import { showOnFailure } from '../../../../test/support/last-seen.ts'
import { until } from './until.ts'

/** Frames of each connection that are shown when a test fails. */
const SHOWN_FRAMES = 5

/** A parsed frame of the agent. */
export type Frame = { readonly type: string; readonly [key: string]: unknown }

interface Refusal {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** The bridge's behaviour towards agents; a test may change it between connections. */
export interface Manners {
  speaks: 'v1' | 'v2'
  /** First message to the agent. */
  greets: DownMessage
  /** Accepts any answer to its challenge, in these words. */
  verifies: boolean | ((answer: Frame) => DownMessage)
  answersPings: boolean
  refuses: Refusal | undefined
  closesWith: readonly [code: number, reason: string] | undefined
}

/** The bridge's end of one connection. */
export class Peer {
  readonly frames: Frame[] = []
  readonly raw: Buffer[] = []
  readonly chunks: Chunk[] = []
  readonly request: IncomingMessage
  readonly socket: WebSocket
  closed: readonly [code: number, reason: string] | undefined

  constructor(socket: WebSocket, request: IncomingMessage, manners: Manners) {
    this.socket = socket
    this.request = request
    socket.on('close', (code, reason) => {
      this.closed = [code, reason.toString('utf8')]
    })
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return this.#receiveChunk(data)
      const frame: Frame = JSON.parse(data.toString('utf8'))
      this.raw.push(data)
      this.frames.push(frame)
      if (frame.type === 'challenge_response' && manners.verifies !== false) {
        const { verifies } = manners
        this.send(verifies === true ? { type: 'challenge_verified' } : verifies(frame))
      }
      if (frame.type === 'ping' && manners.answersPings) this.send({ type: 'pong' })
    })
    this.send(manners.greets)
  }

  send(message: DownMessage): void {
    this.socket.send(JSON.stringify(message))
  }

  /** Sends a payload in chunks, without waiting for credit. */
  sendChunks(id: string, payload: Buffer): void {
    for (let at = 0; at < payload.length; at += limits.chunkBytes)
      this.socket.send(encodeChunk({ id, bytes: payload.subarray(at, at + limits.chunkBytes) }))
  }

  /** Bytes of an exchange's chunks that have come. */
  chunkBytes(id: string): number {
    return this.chunks.reduce((sum, chunk) => sum + (chunk.id === id ? chunk.bytes.length : 0), 0)
  }

  /** The payload of an exchange, once so many bytes have come. @param grants whether it is granted credit meanwhile */
  async payload(id: string, sizeBytes: number, grants = true): Promise<Buffer> {
    let granted = 0
    await until(() => {
      const bytes = this.chunkBytes(id)
      const use = bytes - granted
      if (grants && use > 0) this.send({ type: 'credit', id, bytes: use })
      if (grants) granted = bytes
      return bytes >= sizeBytes
    })
    return Buffer.concat(this.chunks.flatMap((chunk) => (chunk.id === id ? [chunk.bytes] : [])))
  }

  #receiveChunk(data: Buffer): void {
    const chunk = decodeChunk(data)
    if (chunk === undefined) throw new Error('a malformed chunk')
    this.chunks.push(chunk)
  }

  execute(id: string, toolName: string, args: Record<string, unknown> = {}): void {
    this.send({ type: 'tool_execute', id, serverName: 'server', toolName, args })
  }

  all(type: string): readonly Frame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  /** The nth frame of this type, once it has come. */
  frame(type: string, n = 1): Promise<Frame> {
    return until(() => this.all(type)[n - 1], undefined, `frame ${n} of type ${type}`)
  }

  /** The answer to a call, once it has come. */
  result(id: string): Promise<Frame> {
    const find = () => this.all('tool_result').find((frame) => frame.id === id)
    return until(find, undefined, `result of call ${id}`)
  }
}

/** A bridge on a real port, as far as an agent sees of one. */
export class FakeBridge {
  readonly manners: Manners = {
    speaks: 'v2',
    greets: { type: 'challenge', challenge: 'abc', expiresIn: 30_000 },
    verifies: true,
    answersPings: true,
    refuses: undefined,
    closesWith: undefined,
  }
  readonly peers: Peer[] = []
  readonly requests: IncomingMessage[] = []
  url = ''

  /** @param certificate for a bridge behind TLS */
  static async start(manners: Partial<Manners> = {}, certificate?: TestCertificate): Promise<FakeBridge> {
    const bridge = new FakeBridge()
    Object.assign(bridge.manners, manners)
    const webSockets = new WebSocketServer({
      noServer: true,
      handleProtocols: () => (bridge.manners.speaks === 'v2' ? SUBPROTOCOL_V2 : false),
    })
    const http = certificate === undefined ? createServer() : createSecureServer(certificate)
    if (certificate !== undefined) trust(certificate)
    http.on('upgrade', (request, socket, head) => {
      bridge.requests.push(request)
      socket.on('error', () => {})
      const { refuses, closesWith } = bridge.manners
      if (refuses !== undefined) {
        const { status, headers = {}, body = '' } = refuses
        const lines = Object.entries({
          ...headers,
          'content-length': String(body.length),
          connection: 'close',
        })
        socket.end(`HTTP/1.1 ${status} No\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`)
        return
      }
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        if (closesWith !== undefined) return webSocket.close(...closesWith)
        bridge.peers.push(new Peer(webSocket, request, bridge.manners))
      })
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    bridge.url = `${certificate === undefined ? 'ws' : 'wss'}://127.0.0.1:${(http.address() as AddressInfo).port}/api/mcp-ws`
    onTestFinished(() => {
      for (const { socket } of bridge.peers) socket.terminate()
      http.close()
      http.closeAllConnections()
    })
    showOnFailure('the fake bridge', () => bridge.#lastSeen)
    return bridge
  }

  get #lastSeen(): string {
    const lines = this.peers.map(
      ({ raw, closed }) => `${raw.slice(-SHOWN_FRAMES).join('\n')}\n${closed?.join(' ') ?? '(open)'}`,
    )
    return [`${this.requests.length} requests`, ...lines].join('\n')
  }

  /** The nth connection, once it has come. */
  peer(n = 1): Promise<Peer> {
    return until(() => this.peers[n - 1], undefined, `connection ${n}`)
  }
}
