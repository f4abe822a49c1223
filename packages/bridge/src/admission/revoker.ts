import type { Revocation, Revocations } from '../ports/sessions.ts'
import type { Authenticator, SecurityLog } from '../ports.ts'
import { OpenLogins } from './open-logins.ts'

/** Limit of a node's delay in reading revocations; beyond it the node admits nobody. */
const MAX_BEHIND_MS = 5_000

/** Closes everything a revoked login has open, synchronously. */
export class Revoker {
  readonly openLogins = new OpenLogins()
  readonly #store: Revocations | undefined
  readonly #authenticator: Authenticator
  readonly #log: SecurityLog
  readonly #forget: (revocation: Revocation) => void
  /** Own revocations whose echo from the store is pending, with their number. */
  readonly #echoes = new Map<string, number>()
  #endWatch = (): void => {}

  /** @param forget called last, when everything has ended */
  constructor(
    store: Revocations | undefined,
    authenticator: Authenticator,
    log: SecurityLog,
    forget: (revocation: Revocation) => void = () => {},
  ) {
    this.#forget = forget
    this.#store = store
    this.#authenticator = authenticator
    this.#log = log
  }

  start(): void {
    if (this.#store !== undefined)
      this.#endWatch = this.#store.watch((revocation) => this.#received(revocation))
  }

  close(): void {
    this.#endWatch()
  }

  /** [REVOKE.6] Whether this node may have missed a revocation. */
  get isBlind(): boolean {
    return this.#store !== undefined && this.#store.behindMs() > MAX_BEHIND_MS
  }

  /** Ends it here at once. Rejects if other nodes cannot be notified; here it has ended anyway. */
  async revoke(revocation: Revocation): Promise<void> {
    this.#end(revocation, true)
    if (this.#store === undefined) return
    this.#expectEcho(revocation, 1)
    try {
      await this.#store.publish(revocation)
    } catch (error) {
      this.#expectEcho(revocation, -1)
      throw error
    }
  }

  /** Skips the echo of our own revocation: ending it again would hit later logins. */
  #received(revocation: Revocation): void {
    if ((this.#echoes.get(keyOf(revocation)) ?? 0) > 0) this.#expectEcho(revocation, -1)
    else this.#end(revocation, false)
  }

  #expectEcho(revocation: Revocation, change: 1 | -1): void {
    const key = keyOf(revocation)
    const count = (this.#echoes.get(key) ?? 0) + change
    if (count > 0) this.#echoes.set(key, count)
    else this.#echoes.delete(key)
  }

  #end(revocation: Revocation, beganHere: boolean): void {
    try {
      this.#authenticator.forget?.(revocation)
    } catch {
      // An app's authenticator that fails keeps nothing open. A principal that it still recalls is verified again.
    }
    const items = this.openLogins.revoke(revocation)
    const { kind, id } = revocation
    const ended = items.length
    if (beganHere || ended > 0) this.#log.logSecurityEvent({ event: 'login_revoked', kind, id, ended })
    for (const item of items) {
      try {
        item.revoked()
      } catch {
        // A failure must not keep the next items open.
      }
    }
    this.#forget(revocation)
  }
}

function keyOf({ kind, id }: Revocation): string {
  return `${kind} ${id}`
}
