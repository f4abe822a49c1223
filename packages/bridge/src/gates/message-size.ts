import { limits } from '@bridgekeeper/protocol'
import { allow, deny, type Verdict } from './verdict.ts'

/**
 * Layer 5: [SIZE.1] a message over 1,048,576 bytes is refused with `message_too_large`, and the
 * connection stays. Not checked here: the hard cap on frames, which the WebSocket parser holds.
 */
export function validateMessageSize(sizeBytes: number): Verdict<number> {
  return sizeBytes > limits.messageBytes ? deny('message_too_large') : allow(sizeBytes)
}
