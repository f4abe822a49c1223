import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'

/** A gate's answer. A gate never closes, answers or logs; one place does that for every refusal. */
export type Verdict<T> = Allowed<T> | Denied

export interface Allowed<T> {
  readonly allowed: true
  readonly value: T
}

export interface Denied {
  readonly allowed: false
  readonly code: ErrorCode
  /** Adds what the code's own text cannot know; safe to show to the peer. */
  readonly detail?: string
  /** Whole seconds after which a retry may succeed. */
  readonly retryAfterSeconds?: number
  /** The refused token has a valid signature of its issuer, so nobody guessed it. */
  readonly isGenuine?: true
}

export function allow<T>(value: T): Allowed<T> {
  return { allowed: true, value }
}

export function deny(code: ErrorCode, detail?: string): Denied {
  return detail === undefined ? { allowed: false, code } : { allowed: false, code, detail }
}

/** Refuses a token with a valid signature: it is of the wrong kind, or for another purpose. */
export function denyGenuine(code: ErrorCode, detail?: string): Denied {
  return { ...deny(code, detail), isGenuine: true }
}

/**
 * [ADDR.5] Whether a refused token may be a guess. An expired or revoked token, or one of a suspended or
 * deleted user, had a valid signature and is no guess.
 */
export function isGuess({ code, isGenuine }: Denied): boolean {
  return code === 'token_invalid' && isGenuine !== true
}

/** Refuses for a while. @param leftMs how long */
export function denyFor(code: ErrorCode, leftMs: number): Denied {
  return { allowed: false, code, retryAfterSeconds: Math.max(1, Math.ceil(leftMs / 1_000)) }
}

/** Converts a refusal into an error, for a call that ends with it. */
export function denialError({ code, detail, retryAfterSeconds }: Denied): BridgeError {
  return new BridgeError(code, detail, { retryAfterSeconds })
}
