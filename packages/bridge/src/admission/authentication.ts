import { pathOf } from '../gates/canonical-path.ts'
import { isSentAsDpop, isSentInHeader } from '../gates/credential.ts'
import { dpopGate } from '../gates/dpop.ts'
import type { RequestFacts } from '../gates/request-facts.ts'
import { resourceGate } from '../gates/resource.ts'
import { type Allowed, allow, deny, isGuess, type Verdict } from '../gates/verdict.ts'
import { ProofReplays } from '../limiters/proof-replays.ts'
import type { Authenticator, Principal, System } from '../ports.ts'
import type { AddressGuard } from './address-guard.ts'
import type { OpenLogin } from './open-logins.ts'
import type { Arrival, Refusals } from './refusals.ts'
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
  async verify(arrival: Arrival, token: string): Promise<Verdict<Authenticated>> {
    const { facts, address } = arrival
    const begun = await this.#addresses.beginCheck(address)
    if (!begun.allowed) return this.#refusals.refuse(arrival, begun)
    try {
      const { openLogins, isBlind } = this.#revoker
      if (isBlind) throw new Error('The list of revoked logins is not available.')
      const since = openLogins.now
      const principal = await this.#authenticator.authenticate(token, facts)
      if (!principal.allowed) {
        // [ADDR.7] A page may have planted the cookie.
        const isFailure = isGuess(principal) && isSentInHeader(facts)
        return this.#refusals.refuse(arrival, principal, isFailure)
      }
      const login = openLogins.enter(principal.value, since)
      if (login === undefined) return this.#refusals.refuse(arrival, deny('login_revoked'))
      return allow({ principal: principal.value, login })
    } finally {
      begun.value()
    }
  }
}

/**
 * Checks whether a verified token may be used for this request: at this path, under this scheme, with its
 * key. Runs for each request, also for a cached token.
 */
export class TokenUse {
  readonly #publicUrls: readonly string[]
  readonly #system: System
  readonly #replays = new ProofReplays()

  constructor(publicUrls: readonly string[], system: System) {
    this.#publicUrls = publicUrls
    this.#system = system
  }

  /** [RS.4] [DPOP.5] Checks a caller's token: a bound one needs its proof, an unbound one must be sent as Bearer. */
  byCaller(principal: Principal, token: string, facts: RequestFacts): Verdict<void> {
    const { userId, resource, boundKeyId } = principal
    const isDpop = isSentAsDpop(facts)
    if (resource === undefined && boundKeyId === undefined && !isDpop) return allow(undefined)
    const path = pathOf(facts.url)
    const here = resourceGate(resource, path, this.#publicUrls)
    if (!here.allowed) return here
    if (boundKeyId === undefined)
      return isDpop ? deny('token_invalid', 'It is not bound to a key: send it as Bearer.') : here
    if (!isDpop) return deny('dpop_proof_invalid', 'The token is bound to a key.')
    const request = { method: facts.method, path, proofs: facts.dpop }
    const clock = { nowMs: this.#system.nowMs(), monotonicMs: this.#system.monotonicMs() }
    return dpopGate(request, token, { userId, keyId: boundKeyId }, this.#publicUrls, this.#replays, clock)
  }

  /** [RS.4] Checks an agent's token. Refuses DPoP, since the connection's challenge proves the key. */
  byAgent({ resource }: Principal, facts: RequestFacts): Verdict<void> {
    if (isSentAsDpop(facts)) return deny('token_invalid', 'An agent must send its token as Bearer.')
    return resourceGate(resource, pathOf(facts.url), this.#publicUrls)
  }
}
