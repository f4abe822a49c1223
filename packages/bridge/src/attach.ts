import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { boundPipelining, isCut } from './northbound/pipelining.ts'

/** What takes an HTTP server's requests before the app does; each says whether the request was its own. */
export interface Handlers {
  request(request: IncomingMessage, response: ServerResponse): boolean
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Nobody else serves this server, and the request was not ours. */
  nobodysRequest(response: ServerResponse): void
  nobodysUpgrade(socket: Duplex): void
}

/**
 * [EMBED.4] Puts the handlers before all other listeners of the server, those that it has and those that it gets
 * later: what is ours they never see, and everything else they see as before.
 */
export function attachTo(server: HttpServer, handlers: Handlers): void {
  const requests = new Others(server, 'request')
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isCut(request)) return
    if (handlers.request(request, response)) return boundPipelining(request, response)
    if (requests.call(request, response)) return
    boundPipelining(request, response)
    handlers.nobodysRequest(response)
  }
  const upgrades = new Others(server, 'upgrade')
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (handlers.upgrade(request, socket, head)) return
    if (!upgrades.call(request, socket, head)) handlers.nobodysUpgrade(socket)
  }
  server.on('request', onRequest)
  server.on('upgrade', onUpgrade)
  requests.adoptLater(onRequest)
  upgrades.adoptLater(onUpgrade)
  ignoreOtherUpgrades(server, upgrades)
}

/**
 * Some clients offer HTTP/2 on every request (RFC 7230 section 6.7); who does not take the offer answers as
 * usual. With an upgrade listener, Node answers nothing by itself, unless it is told which offers count.
 */
function ignoreOtherUpgrades(server: HttpServer, upgrades: Others): void {
  const upgradable: HttpServer & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean } = server
  upgradable.shouldUpgradeCallback = ({ headers }) =>
    upgrades.count > 0 || headers.upgrade?.toLowerCase() === 'websocket'
}

type Event = 'request' | 'upgrade'
type AnyListener = (this: HttpServer, ...args: unknown[]) => void
/** What `once` adds is a function around the listener. */
type RawListener = AnyListener & { readonly listener?: AnyListener }

/** The listeners of one event beside ours. The server no longer calls them by itself. */
class Others {
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

  /** @returns whether there is any */
  call(...args: unknown[]): boolean {
    for (const listener of [...this.#listeners]) listener.call(this.#server, ...args)
    return this.count > 0
  }

  /** Takes every listener that is added from now on: Next.js adds one with its first request. */
  adoptLater(ours: unknown): void {
    this.#server.on('newListener', (event: string | symbol, added: AnyListener) => {
      if (event !== this.#event) return
      // This is told before it is added. No request can come before the turn ends.
      queueMicrotask(() => {
        const onServer = this.#onServer()
        const raw = onServer.find((listener) => listener === added || listener.listener === added)
        // Who took ours off, to call it from a listener of their own, must stay.
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
