import type {
  OAuthClientInformationMixed,
  OAuthClientProvider,
  OAuthDiscoveryState,
  OAuthTokens,
} from '@modelcontextprotocol/client'
import { CALLBACK } from './oauth-client.ts'

/** An app's login state, and its redirect of the user's browser. */
export class AppLogin implements OAuthClientProvider {
  readonly redirectUrl = CALLBACK
  readonly clientMetadata = {
    client_name: 'Official client',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  readonly clientMetadataUrl?: string
  information: OAuthClientInformationMixed | undefined
  kept: OAuthTokens | undefined
  sentTo: URL | undefined
  #discovery: OAuthDiscoveryState | undefined
  #verifier = ''

  constructor(clientMetadataUrl?: string) {
    if (clientMetadataUrl !== undefined) this.clientMetadataUrl = clientMetadataUrl
  }

  state = () => 'state-of-the-app'
  clientInformation = () => this.information
  tokens = () => this.kept
  codeVerifier = () => this.#verifier

  saveClientInformation(information: OAuthClientInformationMixed): void {
    this.information = information
  }

  saveTokens(tokens: OAuthTokens): void {
    this.kept = tokens
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#discovery = state
  }

  discoveryState = () => this.#discovery

  redirectToAuthorization(url: URL): void {
    this.sentTo = url
  }
}
