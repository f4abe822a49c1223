import { hash } from 'node:crypto'
import { isObject, parseJson } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'

/** User and login session of a token. */
export interface TokenClaims {
  readonly userId: string
  readonly sessionId: string
}

/** Allowed characters of an Authorization header; a token from a file may end in a newline. */
const HEADER_VALUE = /^[\x21-\x7e]+$/

/**
 * Reads the claims `sub` and `sid` of a token without verifying it. The bridge verifies the token; a wrong
 * claim only makes the answer to its challenge wrong.
 *
 * @param known claims that override those of the token
 * @throws AgentError `token_unreadable`
 */
export function tokenClaims(token: string, known: Partial<TokenClaims>): TokenClaims {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')
  const claims = parseJson(payload)?.value
  const claim = (name: string) =>
    isObject(claims) && typeof claims[name] === 'string' ? claims[name] : undefined
  const userId = known.userId ?? claim('sub')
  const sessionId = known.sessionId ?? claim('sid')
  if (userId === undefined || sessionId === undefined) throw new AgentError('token_unreadable')
  return { userId, sessionId }
}

/** @throws AgentError `token_unreadable` for what fits no header */
export function demandHeaderValue(token: string): void {
  if (!HEADER_VALUE.test(token)) throw new AgentError('token_unreadable')
}

/** The answer to a challenge of protocol v1: it shows knowledge of the login, no more. */
export function challengeResponse(challenge: string, { userId, sessionId }: TokenClaims): string {
  return hash('sha256', challenge + userId + sessionId)
}
