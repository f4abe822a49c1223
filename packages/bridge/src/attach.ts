import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Handles an HTTP server's requests before the app. `request` and `upgrade` return whether they took it. */
export interface Handlers {
  request(request: IncomingMessage, response: ServerResponse): boolean
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Answers a request for another path, on a server without other listeners. */
  unclaimedRequest(response: ServerResponse): void
  unclaimedUpgrade(socket: Duplex): void
}

/**
 * [EMBED.4] Puts the handlers before all other listeners of the server, present and future. Those listeners never see
 * a request of the bridge, and see every other request as before.
 */
export function attachTo(server: HttpServer, handlers: Handlers): void {
  const requests = new AppListeners(server, 'request')
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isCut(request)) return
    if (handlers.request(request, response)) return boundPipelining(request, response)
    if (requests.call(request, response)) return
    boundPipelining(request, response)
    handlers.unclaimedRequest(response)
  }
  const upgrades = new AppListeners(server, 'upgrade')
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (handlers.upgrade(request, socket, head)) return
    if (!upgrades.call(request, socket, head)) handlers.unclaimedUpgrade(socket)
  }
  server.on('request', onRequest)
  server.on('upgrade', onUpgrade)
  requests.takeLater(onRequest)
  upgrades.takeLater(onUpgrade)
  ignoreOtherUpgrades(server, upgrades)
}

/**
 * Some clients offer HTTP/2 on every request (RFC 7230 section 6.7), and a server may ignore the offer. With an upgrade
 * listener, Node emits `upgrade` instead of `request` for each offer, unless this callback rejects it.
 */
function ignoreOtherUpgrades(server: HttpServer, upgrades: AppListeners): void {
  const upgradable: HttpServer & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean } = server
  upgradable.shouldUpgradeCallback = ({ headers }) =>
    upgrades.count > 0 || headers.upgrade?.toLowerCase() === 'websocket'
}

type Event = 'request' | 'upgrade'
type AnyListener = (this: HttpServer, ...args: unknown[]) => void
/** A listener as Node stores it: `once` wraps the original. */
type RawListener = AnyListener & { readonly listener?: AnyListener }

/** The app's listeners of an event, removed from the server and called by the bridge. */
class AppListeners {
  readonly #server: HttpServer
  readonly #event: Event
  readonly #listeners: RawListener[]

  constructor(server: HttpServer, event: Event) {
    this.#server = server
    this.#event = event
    this.#listeners = this.#onServer()
    server.removeAllListeners(event)
  }

  get count(): number {
    return this.#listeners.length
  }

  /** @returns whether there are listeners */
  call(...args: unknown[]): boolean {
    for (const listener of [...this.#listeners]) listener.call(this.#server, ...args)
    return this.count > 0
  }

  /** Also captures listeners that are added later. Next.js adds one with its first request. */
  takeLater(ours: unknown): void {
    this.#server.on('newListener', (event: string | symbol, added: AnyListener) => {
      if (event !== this.#event) return
      // `newListener` precedes the addition. No request can arrive before the microtask.
      queueMicrotask(() => {
        const onServer = this.#onServer()
        const raw = onServer.find((listener) => listener === added || listener.listener === added)
        // If another library wrapped our listener, leave it in place.
        if (raw === undefined || !onServer.some((listener) => listener === ours)) return
        this.#server.removeListener(this.#event, raw)
        this.#listeners.push(raw)
      })
    })
  }

  #onServer(): RawListener[] {
    return this.#server.rawListeners(this.#event) as RawListener[]
  }
}

/** Limit of requests on one socket behind an unanswered one. Usual clients send none. */
export const MAX_PIPELINED = 8

const queued = new WeakMap<Socket, number>()
const cut = new WeakSet<Socket>()

/**
 * [HTTP.6] Closes a socket with too many requests behind an unanswered one: each would be held with its
 * answer. Call it once for each request, synchronously.
 */
export function boundPipelining({ socket }: IncomingMessage, response: ServerResponse): void {
  // Node assigns a socket to a response when its turn comes, usually at once.
  if (response.socket !== null) return
  const waiting = (queued.get(socket) ?? 0) + 1
  if (waiting > MAX_PIPELINED) {
    cut.add(socket)
    socket.destroy()
    return
  }
  queued.set(socket, waiting)
  response.once('finish', () => queued.set(socket, (queued.get(socket) ?? 1) - 1))
}

/** Whether the request was read from a socket that has been cut: a parser finishes the chunk that it has. */
function isCut({ socket }: IncomingMessage): boolean {
  return socket.destroyed && cut.has(socket)
}
