import type { JSONWebKeySet, JWTPayload } from 'jose'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, Principal, System, UserStore } from '../ports.ts'
import { type TokenRules, verifyJwt } from './jwt.ts'
import { localKeys, remoteKeys } from './key-set.ts'
import { Recall } from './recall.ts'
import { readScopes } from './scopes.ts'

/** ClaimedIdentity in the claims of a token. */
export interface ClaimedIdentity {
  readonly userId: string
  /** The login session behind the token: unchanged by a refresh, new with a new login. */
  readonly sessionId: string
  readonly scopes?: readonly string[]
}

export interface JwksOptions {
  /** The provider's keys, or the https address where it publishes them. */
  readonly jwks: URL | JSONWebKeySet
  readonly issuer: string
  /** Audience that a token must have; names this bridge only. */
  readonly audience: string
  /** Asymmetric ones only. Default: ES256, EdDSA, RS256, PS256. */
  readonly algorithms?: readonly string[]
  /** Header `typ` that marks the provider's access tokens. Default `at+jwt` (RFC 9068). */
  readonly typ?: string
  /**
   * Reads the claims of a verified token; `undefined` refuses it. Default: `sub`, `sid` and `scope`. Agents
   * read `sub` and `sid` from their token; with other claims, pass them to the agent.
   */
  readonly claims?: (claims: Readonly<JWTPayload>) => ClaimedIdentity | undefined
}

const DEFAULT_ALGORITHMS = ['ES256', 'EdDSA', 'RS256', 'PS256']
const ASYMMETRIC = /^(?:ES(?:256|384|512)|EdDSA|Ed25519|[RP]S(?:256|384|512))$/

/**
 * [JWKS.1] Verifies access tokens of an identity provider, for bridges whose users have accounts elsewhere. A
 * token without a session is refused: a session derived from the token would end with every refresh. Source:
 * RFC 8725 sections 3.1, 3.8 to 3.12; RFC 9068 section 4; RFC 7517.
 *
 * @param users if given, unknown and suspended users are refused
 * @throws TypeError for a symmetric algorithm or an address that is not https
 * @throws KeysUnavailable if a given key holds a secret
 */
export function createJwksAuthenticator(
  options: JwksOptions,
  users: UserStore | undefined,
  system: System,
): Authenticator {
  const { jwks, issuer, audience, claims = standardClaims } = options
  const algorithms = options.algorithms ?? DEFAULT_ALGORITHMS
  if (algorithms.length === 0 || !algorithms.every((algorithm) => ASYMMETRIC.test(algorithm)))
    throw new TypeError('Tokens of a provider are signed with asymmetric algorithms only.')
  // An empty issuer or audience would match nothing, or some day everything.
  if (issuer === '' || audience === '') throw new TypeError('Issuer and audience must be given.')
  const rules: TokenRules = {
    algorithms,
    typ: options.typ ?? 'at+jwt',
    issuer,
    audience,
    requiredClaims: ['exp', 'iat'],
  }
  const findKey = jwks instanceof URL ? remoteKeys(jwks, system) : localKeys(jwks)
  const recalled = new Recall(system)

  async function authenticate(token: string): Promise<Verdict<Principal>> {
    const remember = recalled.begin(token)
    const verified = await verifyJwt(token, findKey, rules, system)
    if (!verified.allowed) return verified
    const identity = claims(verified.value)
    if (identity === undefined || identity.userId === '' || identity.sessionId === '')
      return denyGenuine('token_invalid', 'Its claims have no user and session.')
    if (users !== undefined) {
      const user = await users.findById(identity.userId)
      if (user === undefined) return deny('user_unknown')
      if (user.state !== 'active') return deny('user_suspended')
    }
    const principal: Principal = { ...identity, expiresAtMs: verified.value.exp * 1_000 }
    remember(principal)
    return allow(principal)
  }

  return {
    authenticate,
    recall: (token) => recalled.get(token),
    forget: (revoked) => recalled.forget(revoked),
  }
}

function standardClaims({ sub, sid, scope }: Readonly<JWTPayload>): ClaimedIdentity | undefined {
  if (typeof sub !== 'string' || typeof sid !== 'string') return undefined
  if (scope === undefined) return { userId: sub, sessionId: sid }
  return typeof scope === 'string' ? { userId: sub, sessionId: sid, scopes: readScopes(scope) } : undefined
}
