import { hash } from 'node:crypto'
import { unreachable } from '@bridgekeeper/protocol'
import type { Revocation } from '../ports/sessions.ts'
import type { Principal, System } from '../ports.ts'

/** A verified token is not verified again for this long; a change by another process takes effect within it. */
const RECALL_MS = 5_000
const RECALL_ENTRIES = 10_000

/**
 * [AUTH.8] Whose the tokens are that were verified moments ago. Kept by their hash, so that a dump of
 * the memory holds no list of live tokens.
 */
export class Recall {
  readonly #system: System
  readonly #entries = new Map<string, { readonly principal: Principal; readonly untilMs: number }>()
  #forgotten = 0
  #isSwept = false

  constructor(system: System) {
    this.#system = system
  }

  /** Tokens that are remembered. */
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
   * Begins a verification. The function that is returned remembers what came of it, unless somebody was
   * forgotten meanwhile: then what was read of the user may be from before.
   */
  begin(token: string): (principal: Principal) => void {
    const forgotten = this.#forgotten
    return (principal) => {
      if (forgotten !== this.#forgotten) return
      this.#dropStale(RECALL_ENTRIES - 1)
      const key = digest(token)
      // The map is in the order in which they run out.
      this.#entries.delete(key)
      this.#entries.set(key, { principal, untilMs: this.#system.monotonicMs() + RECALL_MS })
      this.#sweepLater()
    }
  }

  /** Takes out those that have run out, and the oldest of more than `most`. */
  #dropStale(most: number): void {
    const nowMs = this.#system.monotonicMs()
    for (const [oldest, { untilMs }] of this.#entries) {
      if (untilMs > nowMs && this.#entries.size <= most) return
      this.#entries.delete(oldest)
    }
  }

  /** An agent shows its token once and stays: without this, what it left here would stay as long. */
  #sweepLater(): void {
    if (this.#isSwept || this.#entries.size === 0) return
    this.#isSwept = true
    this.#system.after(RECALL_MS, () => {
      this.#isSwept = false
      this.#dropStale(RECALL_ENTRIES)
      this.#sweepLater()
    })
  }

  /** Rare enough to look at every entry rather than to keep an index for it. */
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

/** A token's hash, to recognise it by without keeping it. */
export function digest(token: string): string {
  // One character for each byte: a third less to keep than base64.
  return hash('sha256', token, 'binary')
}
