import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { ClientAddress, TrustedProxies } from '@bridgekeeper/bridge/parts'

/** Share of all sockets kept free for newcomers (1 in 20), as long as an idle one can be closed. */
const SPARE_SHARE = 20

/** Why a socket was closed at once. */
export type DropReason = 'address_full' | 'node_full'

export interface SocketLimits {
  readonly inAll: number
  readonly perAddress: number
}

/** An open socket from its accept on: before TLS, before a request, and after an upgrade. */
interface OpenSocket {
  readonly socket: Socket
  readonly address: ClientAddress
  /** Unanswered requests. An upgrade is never answered, so its socket stays in use. */
  inUse: number
  /** Position among all sockets in the order in which they became idle. */
  idleSince: number
  /** Key by which its TLS socket is matched to it; `undefined` without TLS. */
  readonly ends: string | undefined
  readonly owner: OpenSockets
}

/** Keyed by the socket that requests name: the TCP socket, or the TLS socket above it. */
const openSockets = new WeakMap<Socket, OpenSocket>()

/** A request, which keeps its socket in use from the end of its headers on. */
export class CountedRequest extends IncomingMessage {
  constructor(socket: Socket) {
    super(socket)
    const open = openSockets.get(socket)
    if (open !== undefined) open.inUse++
  }
}

/** A response; after it, its socket is idle again. */
export class CountedResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  constructor(request: Request) {
    super(request)
    this.on('close', answered)
  }
}

function answered(this: ServerResponse): void {
  const open = openSockets.get(this.req.socket)
  if (open !== undefined) open.owner.answered(open)
}

/**
 * [HTTP.4] Bounds the sockets of each address, except trusted proxies. [HTTP.5] When the node is nearly full,
 * closes the longest idle ones, to accept new clients. Never closes a socket with a request in flight, or an
 * upgraded one.
 *
 * Threat: one address that holds every socket of the node. Not checked here: messages on a socket.
 */
export class OpenSockets {
  readonly #limits: SocketLimits
  readonly #proxies: TrustedProxies
  readonly #dropped: (address: ClientAddress, reason: DropReason) => void
  readonly #all = new Set<OpenSocket>()
  readonly #byAddress = new Map<string, Set<OpenSocket>>()
  /** Idle sockets, longest idle first. May hold some that are in use again. */
  readonly #idle = new Set<OpenSocket>()
  /** TCP sockets with an unfinished TLS handshake. */
  readonly #handshakes = new Map<string, OpenSocket>()
  readonly #isTls: boolean
  #moments = 0

  /**
   * @param server made with `CountedRequest` and `CountedResponse`
   * @param dropped called for each new socket that is closed at once
   */
  constructor(
    server: Server,
    limits: SocketLimits,
    proxies: TrustedProxies,
    dropped: (address: ClientAddress, reason: DropReason) => void,
  ) {
    this.#limits = limits
    this.#proxies = proxies
    this.#dropped = dropped
    this.#isTls = server instanceof TlsServer
    server.maxConnections = limits.inAll
    server.on('drop', (peer) => dropped(this.#addressOf(peer?.remoteAddress ?? ''), 'node_full'))
    server.on('connection', (socket: Socket) => this.#opened(socket))
    server.prependListener('secureConnection', (socket: Socket) => this.#secured(socket))
  }

  answered(open: OpenSocket): void {
    if (--open.inUse === 0 && this.#all.has(open)) this.#becameIdle(open)
  }

  #opened(socket: Socket): void {
    const { remoteAddress } = socket
    // The peer is gone already.
    if (remoteAddress === undefined) return void socket.destroy()
    const address = this.#addressOf(remoteAddress)
    const own = this.#byAddress.get(address.key) ?? new Set()
    if (!address.isProxy && own.size >= this.#perAddress && !this.#close(idlest(own))) {
      socket.destroy()
      return this.#dropped(address, 'address_full')
    }
    const ends = this.#isTls ? endsOf(socket) : undefined
    const open: OpenSocket = { socket, address, ends, inUse: 0, idleSince: 0, owner: this }
    openSockets.set(socket, open)
    this.#all.add(open)
    this.#byAddress.set(address.key, own.add(open))
    if (ends !== undefined) this.#handshakes.set(ends, open)
    socket.once('close', () => this.#forget(open))
    while (this.#all.size > this.#nearlyFull) if (!this.#close(this.#idlest())) break
    this.#becameIdle(open)
  }

  /** Links the TLS socket, which requests name, to its TCP socket. */
  #secured(socket: Socket): void {
    const ends = endsOf(socket)
    const open = this.#handshakes.get(ends)
    this.#handshakes.delete(ends)
    if (open !== undefined) openSockets.set(socket, open)
  }

  #becameIdle(open: OpenSocket): void {
    open.idleSince = ++this.#moments
    this.#idle.delete(open)
    this.#idle.add(open)
  }

  #idlest(): OpenSocket | undefined {
    for (const open of this.#idle) {
      if (open.inUse === 0) return open
      // The socket is listed again once it is idle.
      this.#idle.delete(open)
    }
    return undefined
  }

  /** @returns whether there was one to close */
  #close(open: OpenSocket | undefined): boolean {
    if (open === undefined) return false
    this.#forget(open)
    open.socket.destroy()
    return true
  }

  /** Idempotent: the socket may have been closed here before its close event. */
  #forget(open: OpenSocket): void {
    this.#all.delete(open)
    this.#idle.delete(open)
    const { ends, address } = open
    if (ends !== undefined && this.#handshakes.get(ends) === open) this.#handshakes.delete(ends)
    const own = this.#byAddress.get(address.key)
    own?.delete(open)
    if (own?.size === 0) this.#byAddress.delete(address.key)
  }

  #addressOf(remoteAddress: string): ClientAddress {
    return this.#proxies.clientAddress({ remoteAddress, forwardedFor: [] })
  }

  get #nearlyFull(): number {
    return this.#limits.inAll - Math.ceil(this.#limits.inAll / SPARE_SHARE)
  }

  get #perAddress(): number {
    return Math.max(1, Math.min(this.#limits.perAddress, this.#nearlyFull))
  }
}

function idlest(sockets: Iterable<OpenSocket>): OpenSocket | undefined {
  let found: OpenSocket | undefined
  for (const open of sockets)
    if (open.inUse === 0 && (found === undefined || open.idleSince < found.idleSince)) found = open
  return found
}

/** Identifies a TCP connection, also when called with the TLS socket above it. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
