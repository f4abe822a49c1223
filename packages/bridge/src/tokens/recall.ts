import { hash } from 'node:crypto'
import { unreachable } from '@bridgekeeper/protocol'
import type { Revocation } from '../ports/sessions.ts'
import type { Principal, System } from '../ports.ts'

/** Lifetime of a cached verification. A change by another process takes effect within it. */
const RECALL_MS = 5_000
const RECALL_ENTRIES = 10_000

/** [AUTH.8] Short-lived cache of verified tokens, by hash, so that a memory dump holds no live tokens. */
export class Recall {
  readonly #system: System
  readonly #entries = new Map<string, { readonly principal: Principal; readonly untilMs: number }>()
  #forgotten = 0
  #isSwept = false

  constructor(system: System) {
    this.#system = system
  }

  /** Cached tokens. */
  get size(): number {
    return this.#entries.size
  }

  get(token: string): Principal | undefined {
    const key = digest(token)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.untilMs > this.#system.monotonicMs() && entry.principal.expiresAtMs > this.#system.nowMs())
      return entry.principal
    this.#entries.delete(key)
    return undefined
  }

  /**
   * Begins a verification. The returned function caches its result, unless a revocation came in between: what
   * was read of the user may then be stale.
   */
  begin(token: string): (principal: Principal) => void {
    const forgotten = this.#forgotten
    return (principal) => {
      if (forgotten !== this.#forgotten) return
      this.#dropStale(RECALL_ENTRIES - 1)
      const key = digest(token)
      // Keeps the map in order of expiry.
      this.#entries.delete(key)
      this.#entries.set(key, { principal, untilMs: this.#system.monotonicMs() + RECALL_MS })
      this.#sweepLater()
    }
  }

  /** Evicts expired entries, and the oldest beyond `most`. */
  #dropStale(most: number): void {
    const nowMs = this.#system.monotonicMs()
    for (const [oldest, { untilMs }] of this.#entries) {
      if (untilMs > nowMs && this.#entries.size <= most) return
      this.#entries.delete(oldest)
    }
  }

  /** An agent shows its token once and stays, so its entry would stay too without this sweep. */
  #sweepLater(): void {
    if (this.#isSwept || this.#entries.size === 0) return
    this.#isSwept = true
    this.#system.after(RECALL_MS, () => {
      this.#isSwept = false
      this.#dropStale(RECALL_ENTRIES)
      this.#sweepLater()
    })
  }

  /** Rare enough to scan all entries instead of keeping an index. */
  forget(revoked: Revocation): void {
    this.#forgotten++
    for (const [key, { principal }] of this.#entries)
      if (idOf(principal, revoked.kind) === revoked.id) this.#entries.delete(key)
  }
}

function idOf({ userId, sessionId, deviceId }: Principal, kind: Revocation['kind']): string | undefined {
  switch (kind) {
    case 'user':
      return userId
    case 'session':
      return sessionId
    case 'device':
      return deviceId
    default:
      return unreachable(kind)
  }
}

/** A token's hash, by which it is recognized without being kept. */
export function digest(token: string): string {
  return hash('sha256', token, 'base64url')
}
