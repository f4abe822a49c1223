import type { BridgeError, CatalogServer } from '@bridgekeeper/protocol'
import type { Upstream } from './exchange.ts'

/** A local server that takes exchanges: its agent reports what it offers. */
export type ExchangeServer = ReadyServer & {
  readonly capabilities: NonNullable<ReadyServer['capabilities']>
}
type ReadyServer = Extract<CatalogServer, { state: 'ready' }>

/** Knows where the devices of a user are connected. */
export interface Directory {
  /** The way to the device that has this server, or the reason for the refusal. */
  find(userId: string, serverName: string): Upstream | BridgeError
  /** The catalog entry of a server that takes exchanges. `undefined` if the bridge must answer for it, or it is not ready. */
  server(userId: string, serverName: string): ExchangeServer | undefined
}

export function takesExchanges(server: CatalogServer | undefined): server is ExchangeServer {
  return server?.state === 'ready' && server.capabilities !== undefined
}
