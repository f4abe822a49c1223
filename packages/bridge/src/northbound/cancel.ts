import type { RawJson } from '@bridgekeeper/protocol'
import { OpenRequest } from './open-request.ts'

/**
 * [CALL.11] Cancels the call that `notifications/cancelled` names: one of the same login, by a client with the same
 * `User-Agent`, at the same path. Clients that share a token often count their ids from 1: of several calls with
 * this id, only the newest is cancelled.
 * @param notice the request that holds the notification
 */
export function cancelCall(notice: OpenRequest, requestId: RawJson): void {
  let newest: { readonly order: number; readonly cancel: () => void } | undefined
  for (const item of notice.caller.login.items) {
    if (!(item instanceof OpenRequest) || !isSameClient(item, notice)) continue
    const cancel = item.cancelOf(requestId)
    if (cancel !== undefined && item.order > (newest?.order ?? 0)) newest = { order: item.order, cancel }
  }
  newest?.cancel()
}

function isSameClient({ response: one }: OpenRequest, { response: other }: OpenRequest): boolean {
  return one.req.url === other.req.url && one.req.headers['user-agent'] === other.req.headers['user-agent']
}
