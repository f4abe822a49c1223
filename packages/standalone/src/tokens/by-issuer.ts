import type { Authenticator } from '@bridgekeeper/bridge'
import { MAX_TOKEN_CHARS, type Recall } from '@bridgekeeper/bridge/parts'
import { isObject, parseJson } from '@bridgekeeper/protocol'

/**
 * Accepts tokens of our own secret and of the authorization server. The unverified issuer of a token only
 * selects its verifier, which applies its own rules alone.
 *
 * @param recalled shared by both, so that one lookup finds a recalled token
 */
export function byIssuer(
  issuer: string,
  server: Authenticator,
  own: Authenticator,
  recalled: Recall,
): Authenticator {
  return {
    recall: (token) => recalled.get(token),
    authenticate: (token) => (issuerOf(token) === issuer ? server : own).authenticate(token),
    forget: (revoked) => recalled.forget(revoked),
  }
}

function issuerOf(token: string): unknown {
  const part = token.length > MAX_TOKEN_CHARS ? undefined : token.split('.', 2)[1]
  const claims = part && parseJson(Buffer.from(part, 'base64url').toString('utf8'))?.value
  return isObject(claims) ? claims.iss : undefined
}
