import { BridgeError } from '@bridgekeeper/protocol'
import { denialError } from '../../gates/verdict.ts'
import type { RpcRequest } from '../message.ts'
import type { MessageContext } from '../message-context.ts'
import { acceptsEvents } from '../reply.ts'
import { sendError } from '../send-error.ts'
import type { Addresses, Search } from './addresses.ts'
import { MergedSubscription, wantedIn } from './merged-subscription.ts'
import type { StreamParts } from './server-streams.ts'

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
  if (!acceptsEvents(request.headers)) return reply.refuse(id, new BridgeError('not_acceptable'))
  const { resourceSubscriptions: uris = [] } = wantedIn(search.message)
  if (!Array.isArray(uris) || uris.length > MAX_RESOURCES)
    return sendError(
      reply,
      id,
      new BridgeError('params_invalid', `"resourceSubscriptions" must be at most ${MAX_RESOURCES} URIs.`),
    )
  const standing = open.stand()
  if (standing !== undefined) return reply.refuse(id, denialError(standing))
  const resources = []
  for (const exposedUri of uris) {
    const address = typeof exposedUri === 'string' ? await addresses.resource(search, exposedUri) : undefined
    if (address !== undefined) resources.push({ ...address, exposedUri })
  }
  if (open.isGone) return
  new MergedSubscription(parts, id, search, resources).begin()
}
