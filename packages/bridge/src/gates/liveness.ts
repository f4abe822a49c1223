/** When a silent peer counts as gone. */
export const PING_EVERY_MS = 30_000
/** How long the answer to the last ping may take. */
export const PONG_WITHIN_MS = 5_000
const MISSED = 2

/** What has been heard of a peer: pings that were sent since it last gave a sign of life. */
export interface PingState {
  unanswered: number
}

/** [LIVE.1] Whether so many pings went unanswered that the peer is taken for gone. */
export function isUnresponsive({ unanswered }: PingState): boolean {
  return unanswered >= MISSED
}

/** What waits to be read by a slow peer: from here on it gets no more calls. */
export const SLOW_BYTES = 4 * 1_048_576
/** How long a peer may stay so. */
export const SLOW_MS = 30_000

/**
 * [LIVE.2] A peer that does not read gets no calls, [LIVE.3] and is cut off when that lasts or when
 * more waits than `limits.sendBufferBytes`. Threat: a reader that fills our memory by doing nothing.
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
