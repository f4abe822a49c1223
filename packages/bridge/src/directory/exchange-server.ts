import { type CatalogServer, type RawJson, type ReadyServer, valueAt } from '@bridgekeeper/protocol'

/** A local server that takes exchanges: its agent reports what it offers. */
export type ExchangeServer = ReadyServer & {
  readonly capabilities: NonNullable<ReadyServer['capabilities']>
}

/** Whether a local server is ready and takes exchanges. */
export function takesExchanges(server: CatalogServer | undefined): server is ExchangeServer {
  return server?.state === 'ready' && server.capabilities !== undefined
}

/** A capability as the server declared it; `undefined` if it did not. */
export function capabilityOf({ capabilities }: ExchangeServer, name: string): RawJson | undefined {
  return valueAt(Buffer.from(capabilities), [name])
}
