import { createHash, timingSafeEqual } from 'node:crypto'
import type { System } from '../ports.ts'

/**
 * Layer 4 of v1: an echo check. It shows that the peer reads this socket and knows its own login. It holds no
 * secret, so it does not stop a stolen token (SECURITY.md).
 */

/** 32 random bytes as 64 hex digits, fresh for each connection. */
export function generateChallenge(random: Pick<System, 'randomBytes'>): string {
  return random.randomBytes(32).toString('hex')
}

export interface ChallengeAnswer {
  readonly challenge: string
  readonly userId: string
  readonly sessionId: string
  /** The peer's answer. */
  readonly response: string
}

/**
 * Whether the response is `SHA256(challenge + userId + sessionId)` in lower-case hex, compared in
 * constant time.
 */
export function verifyChallengeResponse(answer: ChallengeAnswer): boolean {
  const { challenge, userId, sessionId, response } = answer
  const expected = createHash('sha256')
    .update(challenge + userId + sessionId)
    .digest()
  const given = Buffer.from(response, 'hex')
  const wellFormed = given.length === expected.length && response.length === expected.length * 2
  return wellFormed && timingSafeEqual(given, expected)
}
