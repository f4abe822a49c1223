import { BridgeError, type ErrorCode } from '@bridgekeeper/protocol'

/** What a gate answers. A gate never closes, answers or logs; one place turns a refusal into those. */
export type Verdict<T> = Allowed<T> | Denied

export interface Allowed<T> {
  readonly allowed: true
  readonly value: T
}

export interface Denied {
  readonly allowed: false
  readonly code: ErrorCode
  /** What the code's own text cannot know; safe to show to the peer. */
  readonly detail?: string
  /** Whole seconds after which trying again may help. */
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

/** Refuses a token whose signature is valid: of the wrong kind, or for something else. */
export function denyGenuine(code: ErrorCode, detail?: string): Denied {
  return { ...deny(code, detail), isGenuine: true }
}

/**
 * [ADDR.5] Whether a refused token may have been guessed. A token that is expired, revoked, or of a suspended or
 * deleted user is no guess: its signature was valid.
 */
export function isGuess({ code, isGenuine }: Denied): boolean {
  return code === 'token_invalid' && isGenuine !== true
}

/** Refused for now. @param leftMs how long it stays so */
export function denyFor(code: ErrorCode, leftMs: number): Denied {
  return { allowed: false, code, retryAfterSeconds: Math.max(1, Math.ceil(leftMs / 1_000)) }
}

/** The same as an error, where a refusal is how a call ends. */
export function denialError({ code, detail, retryAfterSeconds }: Denied): BridgeError {
  return new BridgeError(code, detail, { retryAfterSeconds })
}
