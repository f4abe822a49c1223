import { randomUUID } from 'node:crypto'
import { type RawJson, textAt, toJson } from '@bridgekeeper/protocol'
import type { Asks } from '../exchanges/asks.ts'
import type { Exchange } from '../exchanges/exchange.ts'
import { rootsResult } from '../exchanges/instance-use.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { RootsPolicy } from '../exchanges/server-port.ts'
import { traitFor } from './asks-2026.ts'
import { withMembers } from './members.ts'
import { CANNOT_ASK, rpcError } from './results.ts'

const TOO_MANY = rpcError(-32_603, 'Too many requests wait for the answer of a client.')

/** A question in a result of a 2026 server. */
export interface InputRequest {
  /** Name that the server gave it. */
  readonly key: string
  readonly method: string
  readonly params: RawJson | undefined
}

/** Asks the client of an exchange on its stream. @returns its answer, or the failure */
export function askClient(
  { key, method, params }: InputRequest,
  exchange: Exchange,
  { asks, roots }: { readonly asks: Asks; readonly roots: RootsPolicy },
): Promise<RawJson | Outcome> {
  if (method === 'roots/list' && roots.kind !== 'client') return Promise.resolve(rootsResult(roots))
  const { session } = exchange.facts
  const trait = traitFor(method, params)
  const mayAsk = trait !== undefined && session?.facts.traits.includes(trait) === true && exchange.canAsk
  if (!mayAsk) return Promise.resolve(CANNOT_ASK)
  const asked = withElicitationId(params)
  const raw = withMembers(undefined, {
    jsonrpc: toJson('2.0'),
    id: toJson(key),
    method: toJson(method),
    params: asked,
  })
  return new Promise((resolve) => {
    const asker = {
      answer: (_id: RawJson, member: 'result' | 'error', value: RawJson) =>
        resolve(member === 'result' ? value : refused(value)),
      notify: () => {},
    }
    const message = { method, id: toJson(key), params: asked, raw }
    if (!asks.pass(asker, toJson(key), message, { session, exchange })) resolve(TOO_MANY)
  })
}

/** The 2025 era names each elicitation by URL. */
function withElicitationId(params: RawJson | undefined): RawJson | undefined {
  if (textAt(params, ['mode']) !== 'url' || textAt(params, ['elicitationId']) !== undefined) return params
  return withMembers(params, { elicitationId: toJson(randomUUID()) })
}

function refused(error: RawJson): Outcome {
  return { kind: 'rpc-error', rpcError: error, message: textAt(error, ['message']) ?? '' }
}
