import { type ClientTrait, type RawJson, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import type { Outcome } from '../exchanges/outcome-end.ts'
import { capabilitiesOf } from '../servers/handshake.ts'
import { withMembers, without } from './members.ts'
import { rpcError } from './results.ts'

const MISSING_CAPABILITY = -32_021
/** Members of the 2025 era that a request within a result does not have. */
const REMOVED_MEMBERS = ['_meta', 'elicitationId', 'task']

/** A question of a 2025 server that waits for its client. */
export interface Ask {
  /** Id under which {@link Asks} knows it. */
  readonly id: RawJson
  /** Capability that a client must have declared to be asked. */
  readonly trait: ClientTrait
  /** Method and parameters as one JSON object. */
  readonly request: RawJson
}

/** Reads a request of a server. @returns `undefined` if no client of the 2026 era can be asked that */
export function readAsk(id: RawJson, method: string, params: RawJson | undefined): Ask | undefined {
  const trait = traitFor(method, params)
  if (trait === undefined) return undefined
  const asked = params && without(params, REMOVED_MEMBERS)
  return { id, trait, request: withMembers(undefined, { method: toJson(method), params: asked }) }
}

/** Capability that a client must have declared to be asked this. */
export function traitFor(method: string, params: RawJson | undefined): ClientTrait | undefined {
  switch (method) {
    case 'sampling/createMessage':
      return usesTools(params) ? 'sampling-tools' : 'sampling'
    case 'elicitation/create':
      return textAt(params, ['mode']) === 'url' ? 'elicitation-url' : 'elicitation-form'
    case 'roots/list':
      return 'roots'
    default:
      return undefined
  }
}

function usesTools(params: RawJson | undefined): boolean {
  return valueAt(params, ['tools']) !== undefined || valueAt(params, ['toolChoice']) !== undefined
}

/** The error for a server that needs more than its client declared (MCP 2026-07-28, basic protocol). */
export function missingCapability(trait: ClientTrait): Outcome {
  const requiredCapabilities = capabilitiesOf([trait])
  return rpcError(MISSING_CAPABILITY, 'The server needs a capability that the client did not declare.', {
    requiredCapabilities,
  })
}

/** A result that asks the client. */
export function inputRequired(asks: ReadonlyMap<string, Ask>, requestState: string): RawJson {
  const requests = [...asks].map(([key, { request }]) => [key, request] as const)
  return withMembers(undefined, {
    resultType: toJson('input_required'),
    inputRequests: withMembers(undefined, Object.fromEntries(requests)),
    requestState: toJson(requestState),
  })
}
