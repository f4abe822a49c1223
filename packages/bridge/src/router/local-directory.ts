import { BridgeError } from '@bridgekeeper/protocol'
import { type Directory, type ExchangeServer, takesExchanges } from '../exchanges/directory.ts'
import type { Upstream } from '../exchanges/exchange.ts'
import type { ExchangeTable } from '../exchanges/exchange-table.ts'
import type { Router } from './router.ts'

/** Finds the devices that are connected to this node. */
export class LocalDirectory implements Directory {
  readonly #router: Router
  readonly #exchanges: ExchangeTable

  constructor(router: Router, exchanges: ExchangeTable) {
    this.#router = router
    this.#exchanges = exchanges
  }

  find(userId: string, serverName: string): Upstream | BridgeError {
    const found = this.#router.find(userId, serverName)
    if (found instanceof BridgeError) return found
    const { connection, localName } = found
    if (!takesExchanges(connection.catalog?.get(localName)))
      return new BridgeError('server_unavailable', 'Its agent has not reported what it offers.')
    return {
      open: (opening, client, reader) =>
        this.#exchanges.open(connection, { ...opening, serverName: localName }, client, reader),
    }
  }

  server(userId: string, serverName: string): ExchangeServer | undefined {
    const server = this.#router.catalog(userId).get(serverName)
    return takesExchanges(server) ? server : undefined
  }
}
