import { Agent, type OutgoingHttpHeaders, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { SoakUser } from './node.ts'

/** Sockets that one abuser keeps at most. */
const MAX_SOCKETS = 3_000

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

/** An abuser: an address, usually a separate user, and a count of the bridge's answers. */
export class Abuser {
  readonly kind: string
  readonly port: number
  readonly from: string
  readonly user: SoakUser
  /** How often each status, or error, came back. */
  readonly answers: Record<string, number> = {}
  readonly #agent: Agent
  readonly #sockets = new Set<Socket>()

  constructor(kind: string, port: number, from: string, user: SoakUser) {
    this.kind = kind
    this.port = port
    this.from = from
    this.user = user
    const options = { keepAlive: true, maxSockets: 64, localAddress: from }
    this.#agent = new Agent(options)
  }

  get bearer(): string {
    return `Bearer ${this.user.token}`
  }

  get openSockets(): number {
    return this.#sockets.size
  }

  count(answer: string | number | undefined): void {
    const key = String(answer)
    this.answers[key] = (this.answers[key] ?? 0) + 1
  }

  /** Runs so many times a second, until the process ends. */
  often(perSecond: number, act: () => void): void {
    setInterval(act, 1_000 / perSecond)
  }

  /** Sends a request over a kept connection; reads and counts its answer. */
  ask({ method = 'GET', path, headers = {}, body }: Ask): void {
    const sized = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const options = {
      host: '127.0.0.1',
      port: this.port,
      agent: this.#agent,
      method,
      path,
      headers: { ...headers, ...sized },
    }
    const asked = request(options, (response) => {
      this.count(response.statusCode)
      response.resume()
    })
    asked.on('error', (error: NodeJS.ErrnoException) => this.count(error.code))
    asked.end(body)
  }

  /** A bare connection, unless there are too many; counts its end. */
  open(): Socket | undefined {
    if (this.#sockets.size >= MAX_SOCKETS) return undefined
    const socket = connect({ host: '127.0.0.1', port: this.port, localAddress: this.from })
    this.#sockets.add(socket)
    socket.on('error', (error: NodeJS.ErrnoException) => this.count(error.code))
    socket.on('close', () => {
      this.count('closed')
      this.#sockets.delete(socket)
    })
    return socket
  }
}

/** The bytes of a request, for peers that write more than they read. */
export function rawRequest(method: string, path: string, headers: readonly string[], body = ''): string {
  const length = body === '' ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  return [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', ...headers, ...length, '', body].join('\r\n')
}
