import type { System } from '@bridgekeeper/bridge'
import { isLoopbackHost } from '@bridgekeeper/protocol'
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
} from 'openid-client'

/** An OpenID provider of the operator's, at which users log in instead of here. */
export interface LoginProviderSettings {
  readonly issuer: URL
  readonly clientId: string
  readonly clientSecret: string
  /** Name on the button. */
  readonly name: string
  /** Whether a new visitor with a verified, unused email gets an account. */
  readonly createUsers: boolean
}

/** Values that the answer must match; sealed in the browser. */
export interface Checks {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** A user as the provider knows them. */
export interface ProviderIdentity {
  readonly issuer: string
  readonly subject: string
  /** Set only if the provider has verified it. */
  readonly verifiedEmail: string | undefined
}

const TIMEOUT_SECONDS = 5
/** Lifetime of the cached provider configuration. */
const CONFIGURATION_MS = 3_600_000
const RANDOM_BYTES = 32

/** The operator's provider: authorization code with PKCE, state and nonce. Rejects if it is down or refuses. */
export class LoginProvider {
  readonly settings: LoginProviderSettings
  readonly #redirectUri: string
  readonly #system: System
  #known: { readonly configuration: Promise<Configuration>; readonly untilMs: number } | undefined

  constructor(settings: LoginProviderSettings, redirectUri: string, system: System) {
    this.settings = settings
    this.#redirectUri = redirectUri
    this.#system = system
  }

  /** The address to send the browser to, and the values that its answer must match. */
  async begin(): Promise<{ readonly url: URL; readonly checks: Checks }> {
    const configuration = await this.#configuration()
    const checks = { state: this.#random(), nonce: this.#random(), verifier: this.#random() }
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: this.#redirectUri,
      scope: 'openid email',
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
    })
    return { url, checks }
  }

  /**
   * [SSO.1] The identity behind a code. The library checks state, issuer, signature, audience, nonce and
   * times. Source: OpenID Connect Core section 3.1.3.7, RFC 9207, RFC 7636.
   *
   * @param query of the address to which the browser returned
   */
  async finish(query: URLSearchParams, { state, nonce, verifier }: Checks): Promise<ProviderIdentity> {
    const configuration = await this.#configuration()
    const tokens = await authorizationCodeGrant(configuration, new URL(`${this.#redirectUri}?${query}`), {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (claims === undefined) throw new Error('The provider sent no ID token.')
    const { iss, sub, email, email_verified } = claims
    const isVerified = email_verified === true && typeof email === 'string'
    return { issuer: iss, subject: sub, verifiedEmail: isVerified ? email : undefined }
  }

  #configuration(): Promise<Configuration> {
    const nowMs = this.#system.monotonicMs()
    if (this.#known !== undefined && this.#known.untilMs > nowMs) return this.#known.configuration
    const { issuer, clientId, clientSecret } = this.settings
    const isLoopback = isLoopbackHost(issuer.hostname)
    const configuration = discovery(issuer, clientId, clientSecret, undefined, {
      timeout: TIMEOUT_SECONDS,
      ...(isLoopback && { execute: [allowInsecureRequests] }),
    })
    const known = { configuration, untilMs: nowMs + CONFIGURATION_MS }
    this.#known = known
    // A failed discovery is retried on the next login.
    configuration.catch(() => {
      if (this.#known === known) this.#known = undefined
    })
    return configuration
  }

  #random(): string {
    return this.#system.randomBytes(RANDOM_BYTES).toString('base64url')
  }
}
