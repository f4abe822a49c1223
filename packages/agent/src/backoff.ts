const BASE_MS = 500
const CAP_MS = 30_000

/**
 * Delay before the next attempt, in milliseconds, with full jitter, so that many agents that lost the same
 * bridge do not reconnect at the same moment.
 *
 * @param attempt failures in a row before this wait, from 0
 */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.floor(random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt))
}
