import type { Era, ExchangeSession, RawJson } from '@bridgekeeper/protocol'
import type { Opening } from '../../exchanges/exchange.ts'

/** Facts of a request that are the same at every server. */
export interface SessionFacts {
  readonly era: Era
  readonly version: string | undefined
  readonly session: ExchangeSession | undefined
}

/** Opens a request of the bridge's own whose caller reads only the answer. */
export function openingFor(
  serverName: string,
  method: string,
  name: string | undefined,
  message: RawJson,
  { era, version, session }: SessionFacts,
): Opening {
  return { serverName, kind: 'request', era, method, name, version, session, streams: false, message }
}
