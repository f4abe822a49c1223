import type { Authenticator, System } from '../ports.ts'
import { type Authenticate, createAppAuthenticator } from './app-identity.ts'
import { createJwksAuthenticator, type JwksOptions } from './jwks.ts'

/** Ways to authenticate; give exactly one. */
export interface AuthenticatorOptions {
  /** The app's own function. */
  readonly authenticate?: Authenticate | undefined
  /** Tokens of an identity provider: its keys, or their address; with `issuer` and `audience`. */
  readonly jwks?: JwksOptions['jwks'] | undefined
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  /** A ready authenticator, such as those of `createTokens` and `createJwksAuthenticator`. */
  readonly authenticator?: Authenticator | undefined
}

/** [EMBED.2] @throws TypeError unless exactly one way is given, completely */
export function authenticatorOf(options: AuthenticatorOptions, system: System): Authenticator {
  const { authenticate, jwks, issuer, audience, authenticator } = options
  const given = [authenticate, jwks, authenticator].filter((way) => way !== undefined)
  if (given.length !== 1)
    throw new TypeError(
      'Exactly one of authenticate, jwks (with issuer and audience) and authenticator is required.',
    )
  if (jwks === undefined && (issuer !== undefined || audience !== undefined))
    throw new TypeError('issuer and audience require jwks.')
  if (authenticator !== undefined) return authenticator
  if (authenticate !== undefined) {
    if (typeof authenticate !== 'function') throw new TypeError('authenticate must be a function.')
    return createAppAuthenticator(authenticate, system)
  }
  if (jwks === undefined || issuer === undefined || audience === undefined)
    throw new TypeError('jwks requires issuer and audience.')
  return createJwksAuthenticator({ jwks, issuer, audience }, undefined, system)
}
