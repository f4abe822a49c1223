const BASE_MS = 500
const CAP_MS = 30_000

/**
 * How long to wait before the next try, in milliseconds: full jitter, so that many agents that lost
 * the same bridge do not come back in the same moment.
 *
 * @param attempt failures in a row before this wait, from 0
 */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.floor(random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt))
}
