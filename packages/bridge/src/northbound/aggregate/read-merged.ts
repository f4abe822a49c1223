import { discard, limits, type Payload, type RawJson, readWhole } from '@bridgekeeper/protocol'
import type { OpenRequest } from '../open-request.ts'

/** A larger message is dropped, if it must be held whole. */
const MAX_MESSAGE_BYTES = limits.frameBytes

/**
 * Reads a message whole: messages of several servers arrive at once, and would mix. [LOAD.2] Counts one that still
 * arrives, and drops it if the caller's user would hold too much.
 */
export function readMerged(open: OpenRequest, message: Payload, use: (whole: RawJson) => void): void {
  if (Buffer.isBuffer(message)) {
    if (!open.isGone) use(message)
    return
  }
  const { sizeBytes } = message
  if (sizeBytes > MAX_MESSAGE_BYTES || open.hold(sizeBytes) !== undefined) return discard(message)
  readWhole(message, (whole) => {
    open.free(sizeBytes)
    if (whole !== undefined && !open.isGone) use(whole)
  })
}
