import { type Era, type ErrorCode, parseJson, type RawJson } from '@bridgekeeper/protocol'
import type { InstanceFault } from '../servers/instance.ts'
import { failureOf, type RawOutcome } from '../servers/raw-calls.ts'
import { answerOf } from './message-bytes.ts'
import { type End, failedEnd } from './outlet.ts'

/** The agent itself ends the exchange. */
export interface Refused {
  readonly kind: 'refused'
  readonly code: ErrorCode
  readonly detail?: string
}

/** How the request of an exchange ended. */
export type Outcome = RawOutcome | InstanceFault | Refused

const OK = 200
/** HTTP statuses of JSON-RPC errors in the 2026 era (MCP 2026-07-28, Streamable HTTP). All others answer with 200. */
const STATUS_2026: Readonly<Record<number, number>> = {
  [-32_020]: 400,
  [-32_021]: 400,
  [-32_022]: 400,
  [-32_601]: 404,
}

/** The end of an exchange that a server answered, or could not. */
export function outcomeEnd(callerId: RawJson, era: Era, outcome: Outcome): End {
  if ('fault' in outcome) return faultEnd(outcome)
  switch (outcome.kind) {
    case 'result':
      return { status: OK, message: answerOf(callerId, 'result', outcome.result) }
    case 'rpc-error':
      return errorEnd(callerId, era, outcome.rpcError)
    case 'refused':
      return failedEnd(outcome.code, outcome.detail)
    default:
      return failedEnd(...failureOf(outcome))
  }
}

/** An answer with a JSON-RPC error. @param rpcError one JSON object */
function errorEnd(callerId: RawJson, era: Era, rpcError: RawJson): End {
  const error = parseJson(rpcError.toString('utf8'))?.value as { readonly code?: unknown }
  const status = era === '2026' ? STATUS_2026[Number(error.code)] : undefined
  return { status: status ?? OK, message: answerOf(callerId, 'error', rpcError) }
}

function faultEnd(fault: InstanceFault): End {
  if (fault.fault === 'era') return failedEnd('era_unsupported')
  return failedEnd('server_unavailable', fault.reason)
}
