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
}

export function allow<T>(value: T): Allowed<T> {
  return { allowed: true, value }
}

export function deny(code: ErrorCode, detail?: string): Denied {
  return detail === undefined ? { allowed: false, code } : { allowed: false, code, detail }
}

/** Refused for now. @param leftMs how long it stays so */
export function denyFor(code: ErrorCode, leftMs: number): Denied {
  return { allowed: false, code, retryAfterSeconds: Math.max(1, Math.ceil(leftMs / 1_000)) }
}

/** The same as an error, where a refusal is how a call ends. */
export function denialError({ code, detail, retryAfterSeconds }: Denied): BridgeError {
  return new BridgeError(code, detail, { retryAfterSeconds })
}
