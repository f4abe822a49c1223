import { BridgeError, type RawJson } from '@bridgekeeper/protocol'
import { REFUSALS } from '../calls/outcome.ts'
import { errorJson, type Reply } from './reply.ts'
import type { RevisionError } from './revision.ts'

/** Answers a request with one of our errors. */
export function sendError(reply: Reply, id: RawJson, error: BridgeError): void {
  if (REFUSALS.has(error.code) || error.code === 'session_unknown') reply.refuse(id, error)
  else reply.error(id, errorJson(error), error.code === 'request_invalid' ? 400 : undefined)
}

/** Refuses a request that does not fit its revision. */
export function sendRevisionError(reply: Reply, id: RawJson, error: RevisionError | BridgeError): void {
  if (error instanceof BridgeError) sendError(reply, id, error)
  else reply.error(id, errorJson(error.rpcError), error.httpStatus)
}
