import { createHmac } from 'node:crypto'
import { Provider } from 'oidc-provider'

/** The part of the library's tokens that makes their value. */
interface Valued {
  generateTokenId(): string
}

/**
 * [OAUTH.27] Lets each refresh token follow from the one that it replaces: who sends the same token twice within the
 * grace, such as two windows at once or after a lost answer, gets the same next one. Were each given another, a copy
 * used within the grace would live on unnoticed.
 *
 * @param key 32 bytes, without which nobody tells the next token
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
