import { createHmac } from 'node:crypto'
import { Provider } from 'oidc-provider'

/** The part of the library's tokens that creates their value. */
interface Valued {
  generateTokenId(): string
}

/**
 * [OAUTH.27] Derives each refresh token from its predecessor. A client that sends the same token twice within
 * the grace, for example from two windows or after a lost answer, gets the same next token. With different
 * ones, a copy used within the grace would stay unnoticed.
 *
 * @param key 32 bytes; the next token cannot be predicted without it
 */
export function chainRefreshTokens(provider: Provider, key: Uint8Array): void {
  const tokens = provider.RefreshToken.prototype as unknown as Valued
  const random = tokens.generateTokenId
  tokens.generateTokenId = function () {
    const replaced = Provider.ctx?.oidc?.entities.RotatedRefreshToken
    if (replaced === undefined) return random.call(this)
    return createHmac('sha256', key).update(`next refresh token ${replaced.jti}`).digest('base64url')
  }
}
