import { type FingerprintPolicy, fingerprintGate, getConnectionFingerprint } from '../gates/fingerprint.ts'
import type { ClientAddress, RequestFacts } from '../gates/request-facts.ts'
import { allow, type Verdict } from '../gates/verdict.ts'
import type { FingerprintStore, Principal, SecurityLog, System } from '../ports.ts'

export interface FingerprintOptions {
  readonly policy: FingerprintPolicy
  /** At least 32 bytes, known to the bridge alone. */
  readonly key: Uint8Array
}

/** A login and its fingerprint at this connection. */
export interface SeenLogin {
  readonly sessionId: string
  readonly fingerprint: string
  /** Whether the login is accepted from here only after a correct first answer to its challenge. */
  readonly mustProve: boolean
}

/** Compares each login's fingerprint with its last one, and reports a change. */
export class Fingerprints {
  readonly #options: FingerprintOptions
  readonly #store: FingerprintStore
  readonly #log: SecurityLog
  readonly #system: System

  constructor(options: FingerprintOptions, store: FingerprintStore, log: SecurityLog, system: System) {
    this.#options = options
    this.#store = store
    this.#log = log
    this.#system = system
  }

  /** Compares the fingerprint of this connection with the login's last one. Rejects if the store is down. */
  async verifyConnectionFingerprint(
    { userId, sessionId }: Principal,
    { ip, key: addressKey }: ClientAddress,
    { userAgent }: RequestFacts,
  ): Promise<Verdict<SeenLogin>> {
    const { policy, key } = this.#options
    const fingerprint = getConnectionFingerprint(addressKey, userAgent.join(' '), key)
    const previous = await this.#store.last(sessionId)
    const verdict = fingerprintGate(fingerprint, previous, policy)
    if (!verdict.allowed || verdict.value !== 'same')
      this.#log.logSecurityEvent({ event: 'fingerprint_changed', userId, ip, policy, fingerprint, previous })
    if (!verdict.allowed) return verdict
    return allow({ sessionId, fingerprint, mustProve: verdict.value === 'unproven' })
  }

  /**
   * Records the accepted fingerprint. If the store is unavailable, the next change is compared with an older
   * one.
   */
  accept({ sessionId, fingerprint }: SeenLogin): void {
    this.#store.remember(sessionId, fingerprint, this.#system.nowMs()).catch(() => {})
  }
}
