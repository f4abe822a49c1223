import { limits } from '@bridgekeeper/protocol'
import { allow, deny, type Verdict } from './verdict.ts'

/**
 * Layer 5: [SIZE.1] a message over 1,048,576 bytes is refused with `message_too_large`; the connection stays
 * open. The WebSocket parser enforces the hard cap on frames.
 */
export function validateMessageSize(sizeBytes: number): Verdict<number> {
  return sizeBytes > limits.messageBytes ? deny('message_too_large') : allow(sizeBytes)
}

/** Interval of pings to a silent peer. */
export const PING_EVERY_MS = 30_000
/** Time limit for the answer to a ping. */
export const PONG_WITHIN_MS = 5_000
const MISSED = 2

/** Pings sent since the peer's last sign of life. */
export interface PingState {
  unanswered: number
}

/** [LIVE.1] Whether so many pings went unanswered that the peer counts as gone. */
export function isUnresponsive({ unanswered }: PingState): boolean {
  return unanswered >= MISSED
}

/** Unread bytes from which a slow peer gets no more calls. */
export const SLOW_BYTES = 4 * 1_048_576
/** Longest time that a peer may stay slow. */
export const SLOW_MS = 30_000

/**
 * [LIVE.2] A peer that does not read gets no calls, [LIVE.3] and is disconnected if that lasts or if more
 * than `limits.sendBufferBytes` wait. Threat: a reader that fills our memory by doing nothing.
 */
export function readerState(
  waitingBytes: number,
  slowForMs: number,
  maxBytes: number,
): 'reading' | 'slow' | 'stuck' {
  if (waitingBytes > maxBytes) return 'stuck'
  if (waitingBytes <= SLOW_BYTES) return 'reading'
  return slowForMs >= SLOW_MS ? 'stuck' : 'slow'
}
