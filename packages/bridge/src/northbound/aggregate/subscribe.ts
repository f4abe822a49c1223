import { BridgeError, OPEN_BRACE, type RawJson, valueAt } from '@bridgekeeper/protocol'
import { denialError } from '../../gates/verdict.ts'
import type { RpcRequest } from '../message.ts'
import type { MessageContext } from '../message-context.ts'
import { allowsEvents } from '../reply.ts'
import { sendError } from '../send-error.ts'
import type { StreamParts } from '../server-streams.ts'
import type { Addresses, Search } from './addresses.ts'
import { MergedSubscription, wantedIn } from './merged-subscription.ts'

/** Resources in one subscription. */
export const MAX_RESOURCES = 256

/** Begins a subscription of the 2026 revision at all servers. */
export async function subscribe(
  { open, reply, request }: MessageContext,
  { id }: RpcRequest,
  search: Search,
  addresses: Addresses,
  parts: StreamParts,
): Promise<void> {
  if (!allowsEvents(request.headers)) return reply.refuse(id, new BridgeError('not_acceptable'))
  const uris = urisIn(search.message)
  if (uris instanceof BridgeError) return sendError(reply, id, uris)
  const standing = open.stand()
  if (standing !== undefined) return reply.refuse(id, denialError(standing))
  const resources = []
  for (const exposedUri of uris) {
    const address = await addresses.resource(search, exposedUri)
    if (address !== undefined) resources.push({ ...address, exposedUri })
  }
  if (open.isGone) return
  // A copy: what was read for the search itself would stay in memory.
  new MergedSubscription(parts, id, { ...search }, resources).begin()
}

/** The resources that a client subscribes to. @returns the error if its request is invalid */
function urisIn(message: RawJson): readonly string[] | BridgeError {
  if (valueAt(message, ['params', 'notifications'])?.[0] !== OPEN_BRACE)
    return new BridgeError('params_invalid', '"params.notifications" must be an object.')
  const { resourceSubscriptions: uris = [] } = wantedIn(message)
  const areUris = Array.isArray(uris) && uris.every((uri): uri is string => typeof uri === 'string')
  if (areUris && uris.length <= MAX_RESOURCES) return uris
  const detail = `"resourceSubscriptions" must be at most ${MAX_RESOURCES} URIs.`
  return new BridgeError('params_invalid', detail)
}
