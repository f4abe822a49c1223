import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientAddress } from '@bridgekeeper/bridge/parts'

/** A request for a page, admitted by the front door. */
export interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly query: URLSearchParams
  readonly address: ClientAddress
}

type Handler = (visit: Visit) => Promise<void> | void
/** By method and path, such as `POST /login`. */
export type Routes = Readonly<Record<string, Handler>>
