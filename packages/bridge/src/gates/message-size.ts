import { limits } from '@bridgekeeper/protocol'
import { allow, deny, type Verdict } from './verdict.ts'

/**
 * Layer 5: [SIZE.1] a message over 1,048,576 bytes is refused with `message_too_large`; the connection stays
 * open. The WebSocket parser enforces the hard cap on frames.
 */
export function validateMessageSize(sizeBytes: number): Verdict<number> {
  return sizeBytes > limits.messageBytes ? deny('message_too_large') : allow(sizeBytes)
}
