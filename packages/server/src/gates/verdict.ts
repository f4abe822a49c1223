import type { ErrorCode } from '@bridgekeeper/protocol'

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
}

export function allow<T>(value: T): Allowed<T> {
  return { allowed: true, value }
}

export function deny(code: ErrorCode, detail?: string): Denied {
  return detail === undefined ? { allowed: false, code } : { allowed: false, code, detail }
}
