import { discard, limits, type Payload, payloadBytes, type RawJson, readWhole } from '@bridgekeeper/protocol'
import type { OpenRequest } from '../open-request.ts'

/** A larger message is dropped, if it must be held whole. */
const MAX_MESSAGE_BYTES = limits.frameBytes

/** Messages of several servers arrive at once; one that is not whole would mix with the others. */
export function readMerged(open: OpenRequest, message: Payload, use: (whole: RawJson) => void): void {
  if (payloadBytes(message) > MAX_MESSAGE_BYTES) return discard(message)
  readWhole(message, (whole) => {
    if (whole !== undefined && !open.isGone) use(whole)
  })
}
