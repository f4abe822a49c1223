import type { Authenticator } from '@bridgekeeper/bridge'
import { MAX_TOKEN_CHARS, type Recall } from '@bridgekeeper/bridge/parts'
import { isObject, parseJson } from '@bridgekeeper/protocol'

/**
 * Tokens of our own secret and of the authorization server at one door. Which of the two verifies a token depends on
 * what the token says of its issuer; that is believed for nothing else, and each verifies by its own rules alone.
 *
 * @param recalled shared by both, so that a recalled token is found by one look
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
