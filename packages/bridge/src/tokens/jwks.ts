import type { JSONWebKeySet, JWTPayload } from 'jose'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { Authenticator, Principal, System, UserStore } from '../ports.ts'
import { type TokenRules, verifyJwt } from './jwt.ts'
import { localKeys, remoteKeys } from './key-set.ts'
import { Recall } from './recall.ts'
import { readScopes } from './scopes.ts'

/** What the claims of a token say of whoever has it. */
export interface Identity {
  readonly userId: string
  /** The login behind the token: the same after it was refreshed, another after a new login. */
  readonly sessionId: string
  readonly scopes?: readonly string[]
}

export interface JwksOptions {
  /** Where the provider publishes its keys (https), or the keys themselves. */
  readonly jwks: URL | JSONWebKeySet
  readonly issuer: string
  /** What a token must be for: name this bridge, and nothing else by that name. */
  readonly audience: string
  /** Asymmetric ones only. Default: ES256, EdDSA, RS256, PS256. */
  readonly algorithms?: readonly string[]
  /** The header `typ`, which tells an access token from others of the provider. Default `at+jwt` (RFC 9068). */
  readonly typ?: string
  /**
   * Reads the claims of a verified token; `undefined` refuses it. Default: `sub`, `sid` and `scope`. Agents
   * read `sub` and `sid` out of their token themselves; with other claims they have to be told what they are.
   */
  readonly claims?: (claims: Readonly<JWTPayload>) => Identity | undefined
}

const DEFAULT_ALGORITHMS = ['ES256', 'EdDSA', 'RS256', 'PS256']
const ASYMMETRIC = /^(?:ES(?:256|384|512)|EdDSA|Ed25519|[RP]S(?:256|384|512))$/

/**
 * [JWKS.1] Access tokens that an identity provider signs, for bridges whose users have accounts elsewhere.
 * A token without a session is refused: one made up from the token would end with every refresh.
 * Source: RFC 8725 sections 3.1, 3.8 to 3.12; RFC 9068 section 4; RFC 7517.
 *
 * @param users where given, whoever is not in it, or suspended there, is refused
 * @throws TypeError for a symmetric algorithm or an address that is not https
 * @throws KeysUnavailable for keys that are given and hold a secret
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
  // An empty string would be matched by nothing, or one day by everything.
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
      return denyGenuine('token_invalid', 'Its claims name no user and session.')
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

function standardClaims({ sub, sid, scope }: Readonly<JWTPayload>): Identity | undefined {
  if (typeof sub !== 'string' || typeof sid !== 'string') return undefined
  if (scope === undefined) return { userId: sub, sessionId: sid }
  return typeof scope === 'string' ? { userId: sub, sessionId: sid, scopes: readScopes(scope) } : undefined
}
