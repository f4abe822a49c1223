import { pathOf } from '../gates/canonical-path.ts'
import { isSentAsDpop } from '../gates/credential.ts'
import { dpopGate } from '../gates/dpop.ts'
import type { RequestFacts } from '../gates/request-facts.ts'
import { resourceGate } from '../gates/resource.ts'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import { ProofReplays } from '../limiters/proof-replays.ts'
import type { Principal, System } from '../ports.ts'

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
