import { BridgeError, type CatalogServer } from '@bridgekeeper/protocol'
import type { Router } from '../router/router.ts'
import type { Upstream } from './exchange.ts'
import type { ExchangeTable } from './exchange-table.ts'

/** A local server that takes exchanges: its agent reports what it offers. */
export type ExchangeServer = Extract<CatalogServer, { state: 'ready' }> & {
  readonly capabilities: NonNullable<Extract<CatalogServer, { state: 'ready' }>['capabilities']>
}

/** Knows where the devices of a user are connected. */
export interface Directory {
  /** The way to the device that has this server, or the reason why there is none. */
  find(userId: string, serverName: string): Upstream | BridgeError
  /** The catalog entry of a server that takes exchanges. `undefined` if the bridge must answer for it, or it is not ready. */
  server(userId: string, serverName: string): ExchangeServer | undefined
}

/** Finds the devices that are connected to this node. */
export class LocalDirectory implements Directory {
  readonly #router: Router
  readonly #exchanges: ExchangeTable

  constructor(router: Router, exchanges: ExchangeTable) {
    this.#router = router
    this.#exchanges = exchanges
  }

  find(userId: string, serverName: string): Upstream | BridgeError {
    const connection = this.#router.find(userId, serverName)
    if (connection instanceof BridgeError) return connection
    if (!takesExchanges(connection.catalog?.get(serverName)))
      return new BridgeError('server_unavailable', 'Its agent has not reported what it offers.')
    return {
      open: (opening, client, reader) => this.#exchanges.open(connection, opening, client, reader),
    }
  }

  server(userId: string, serverName: string): ExchangeServer | undefined {
    const server = this.#router.catalog(userId).get(serverName)
    return takesExchanges(server) ? server : undefined
  }
}

function takesExchanges(server: CatalogServer | undefined): server is ExchangeServer {
  return server?.state === 'ready' && server.capabilities !== undefined
}
