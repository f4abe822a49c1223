import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** What takes an HTTP server's requests before the app does; each says whether the request was its own. */
export interface Handlers {
  request(request: IncomingMessage, response: ServerResponse): boolean
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Nobody else serves this server, and the request was not ours. */
  nobodysRequest(response: ServerResponse): void
  nobodysUpgrade(socket: Duplex): void
}

/** Puts the handlers before the listeners that the server has; whatever is not theirs goes to those. */
export function attachTo(server: HttpServer, handlers: Handlers): void {
  const requestListeners = takeListeners(server, 'request')
  server.on('request', (request, response) => {
    if (handlers.request(request, response)) return
    if (requestListeners.length === 0) return handlers.nobodysRequest(response)
    for (const listener of requestListeners) listener.call(server, request, response)
  })

  const upgradeListeners = takeListeners(server, 'upgrade')
  // An app may add its own listener after us; Node calls that one by itself.
  const othersListen = (): boolean => upgradeListeners.length > 0 || server.listenerCount('upgrade') > 1
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (handlers.upgrade(request, socket, head)) return
    if (!othersListen()) return handlers.nobodysUpgrade(socket)
    for (const listener of upgradeListeners) listener.call(server, request, socket, head)
  })
  ignoreOtherUpgrades(server, othersListen)
}

/**
 * Some clients offer HTTP/2 on every request (RFC 7230 section 6.7); who does not take the offer answers as
 * usual. With an upgrade listener, Node answers nothing by itself, unless it is told which offers count.
 */
function ignoreOtherUpgrades(server: HttpServer, othersListen: () => boolean): void {
  const upgradable: HttpServer & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean } = server
  upgradable.shouldUpgradeCallback = ({ headers }) =>
    othersListen() || headers.upgrade?.toLowerCase() === 'websocket'
}

type AnyListener = (this: HttpServer, ...args: unknown[]) => void

/** Removes and returns the listeners that were there before us. */
function takeListeners(server: HttpServer, event: 'request' | 'upgrade'): AnyListener[] {
  const listeners = server.listeners(event) as AnyListener[]
  server.removeAllListeners(event)
  return listeners
}
