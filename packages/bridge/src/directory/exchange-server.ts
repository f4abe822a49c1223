import type { CatalogServer } from '@bridgekeeper/protocol'

/** A local server that takes exchanges: its agent reports what it offers. */
export type ExchangeServer = ReadyServer & {
  readonly capabilities: NonNullable<ReadyServer['capabilities']>
}
type ReadyServer = Extract<CatalogServer, { state: 'ready' }>

export function takesExchanges(server: CatalogServer | undefined): server is ExchangeServer {
  return server?.state === 'ready' && server.capabilities !== undefined
}
