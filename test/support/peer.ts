import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IssuedToken } from '@bridgekeeper/bridge'
import { SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import { onTestFinished } from 'vitest'
import WebSocket, { type ClientOptions } from 'ws'
import type { TestBridge } from './bridge.ts'
import { showOnFailure, within } from './last-seen.ts'

export type Message = Record<string, unknown> & { readonly type: string }

export interface Closed {
  readonly code: number
  readonly reason: string
}

/** Messages that a peer shows when it waits in vain. */
const SHOWN_MESSAGES = 8
const SHOWN_CHARS = 300

/** A manual peer of the agents' endpoint: tests await every message, and send every answer. */
export class Peer {
  readonly socket: WebSocket
  readonly closed: Promise<Closed>
  readonly #inbox: Message[] = []
  #lastSeen: string[] = []
  #wake = (): void => {}

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data, isBinary) => {
      if (isBinary) return
      this.#saw(`← ${data}`)
      this.#inbox.push(JSON.parse(String(data)) as Message)
      this.#wake()
    })
    socket.on('error', (error) => this.#saw(String(error)))
    this.closed = new Promise((resolve) =>
      socket.on('close', (code, reason) => {
        this.#saw(`closed ${code} ${reason}`)
        resolve({ code, reason: String(reason) })
      }),
    )
    showOnFailure('a peer', () => this.#lastSeen.join('\n'))
  }

  /** The next message of this type; skips those before it. */
  next(type: string): Promise<Message> {
    return within(this.#next(type), `message ${type}`, () => this.#lastSeen.join('\n'))
  }

  async #next(type: string): Promise<Message> {
    for (;;) {
      const message = this.#inbox.shift()
      if (message?.type === type) return message
      if (message !== undefined) continue
      if (this.socket.readyState >= WebSocket.CLOSING)
        throw new Error(`closed while waiting for ${type}; last seen:\n${this.#lastSeen.join('\n')}`)
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), this.closed])
    }
  }

  /** Received messages that no test has taken. */
  get waiting(): readonly Message[] {
    return this.#inbox
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  #saw(text: string): void {
    this.#lastSeen = [...this.#lastSeen.slice(1 - SHOWN_MESSAGES), text.slice(0, SHOWN_CHARS)]
  }

  answer(challenge: Message, { userId, sessionId }: IssuedToken): void {
    const response = createHash('sha256').update(`${challenge.challenge}${userId}${sessionId}`).digest('hex')
    this.send({ type: 'challenge_response', response })
  }
}

export interface PeerOptions {
  readonly token?: string
  readonly via?: 'cookie' | 'bearer'
  /** The cookie's name. */
  readonly cookie?: string
  readonly v2?: boolean
  readonly path?: string
  readonly socketOptions?: ClientOptions
}

/** Opens a socket to the bridge; the test observes its errors. */
export function dial(bridge: Pick<TestBridge, 'port'>, options: PeerOptions = {}): Peer {
  const { token, via = 'bearer', cookie = 'accessToken', v2 = false, path = '/api/mcp-ws' } = options
  const credential: Record<string, string> =
    token === undefined
      ? {}
      : via === 'cookie'
        ? { cookie: `${cookie}=${token}` }
        : { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`ws://127.0.0.1:${bridge.port}${path}`, v2 ? [SUBPROTOCOL_V2] : [], {
    headers: credential,
    ...options.socketOptions,
  })
  onTestFinished(() => socket.terminate())
  return new Peer(socket)
}

/** A peer that has answered its challenge. */
export async function verifiedPeer(
  bridge: Pick<TestBridge, 'port'>,
  issued: IssuedToken,
  options: PeerOptions = {},
): Promise<Peer> {
  const peer = dial(bridge, { token: issued.accessToken, ...options })
  peer.answer(await peer.next('challenge'), issued)
  await peer.next('challenge_verified')
  return peer
}

/** The HTTP answer that refuses an upgrade. */
export async function refusedUpgrade(peer: Peer): Promise<{ status: number; body: unknown }> {
  const [, response] = (await once(peer.socket, 'unexpected-response')) as [
    unknown,
    AsyncIterable<Buffer> & { statusCode: number },
  ]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) }
}
