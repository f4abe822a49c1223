import { isSentInHeader } from '../gates/credential.ts'
import type { ClientAddress, RequestFacts } from '../gates/request-facts.ts'
import { type Allowed, allow, deny, isGuess, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, Principal } from '../ports.ts'
import type { AddressGuard } from './address-guard.ts'
import type { OpenLogin } from './open-logins.ts'
import type { Door, Refusals } from './refusals.ts'
import type { Revoker } from './revoker.ts'

/** A verified token's principal, and what its login has open. */
export interface Authenticated {
  readonly principal: Principal
  readonly login: OpenLogin
}

/** Authenticates the token of a request. */
export class Authentication {
  readonly #authenticator: Authenticator
  readonly #revoker: Revoker
  readonly #addresses: AddressGuard
  readonly #refusals: Refusals

  constructor(authenticator: Authenticator, revoker: Revoker, addresses: AddressGuard, refusals: Refusals) {
    this.#authenticator = authenticator
    this.#revoker = revoker
    this.#addresses = addresses
    this.#refusals = refusals
  }

  /** Reads a token that was verified in the last seconds from the cache. */
  recall(token: string): Allowed<Authenticated> | undefined {
    const principal = this.#authenticator.recall(token)
    const login = principal && this.#revoker.openLogins.recalled(principal)
    return principal && login && allow({ principal, login })
  }

  /** Verifies a token, and records a refusal. Rejects if a dependency is down. */
  async verify(
    door: Door,
    token: string,
    address: ClientAddress,
    facts: RequestFacts,
  ): Promise<Verdict<Authenticated>> {
    const begun = await this.#addresses.beginCheck(address)
    if (!begun.allowed) return this.#refusals.refuse(door, begun, address, facts)
    try {
      const { openLogins, isBlind } = this.#revoker
      if (isBlind) throw new Error('The list of revoked logins is not available.')
      const since = openLogins.now
      const principal = await this.#authenticator.authenticate(token, facts)
      if (!principal.allowed) {
        // [ADDR.7] A page may have planted the cookie.
        const isFailure = isGuess(principal) && isSentInHeader(facts)
        return this.#refusals.refuse(door, principal, address, facts, isFailure)
      }
      const login = openLogins.enter(principal.value, since)
      if (login === undefined) return this.#refusals.refuse(door, deny('login_revoked'), address, facts)
      return allow({ principal: principal.value, login })
    } finally {
      begun.value()
    }
  }
}
