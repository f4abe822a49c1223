import { type ClientMetadata, errors } from 'oidc-provider'
import { AGENT_CLIENT_ID } from '../identity/access-tokens.ts'

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const GRANTS: readonly string[] = ['authorization_code', 'refresh_token']
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]']
/** A domain name of the app's maker in reverse, such as `com.example.app`. Source: RFC 8252 section 7.1. */
const APP_SCHEME = /^(?:[a-z]{2,63}|xn--[a-z0-9-]+)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+:$/
/** What every reader of the address reads alike: no white space, no backslash, ASCII. */
const PLAIN_ADDRESS = /^[\x21-\x5b\x5d-\x7e]+$/

/** The agent: a public client that needs no registration, and only enrols devices. */
export const AGENT_CLIENT: ClientMetadata = {
  client_id: AGENT_CLIENT_ID,
  client_name: 'Bridgekeeper agent',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: [DEVICE_GRANT],
  response_types: [],
  redirect_uris: [],
}

/**
 * [OAUTH.7] What a client may say of itself, wherever it comes from, also if it was stored earlier: codes go to https,
 * to the user's own machine, or to a scheme that is a domain name in reverse. Other schemes open whatever the system
 * has for them. Only codes and refresh tokens are given. An app on the user's machine is taken as one, so that it may
 * choose its port each time (RFC 8252 section 7.3).
 *
 * @param metadata is changed @throws errors.InvalidRedirectUri, errors.InvalidClientMetadata
 */
export function checkClient(metadata: ClientMetadata): void {
  if (metadata.client_id === AGENT_CLIENT_ID) return
  // Clients name scopes of ours here, which the library does not know. What they get is asked for each time.
  delete metadata.scope
  const redirects: unknown = metadata.redirect_uris
  if (!Array.isArray(redirects) || redirects.length === 0)
    throw new errors.InvalidRedirectUri('redirect_uris are needed')
  const urls = redirects.map(redirectUrl)
  if (urls.some(({ protocol }) => protocol !== 'https:')) metadata.application_type = 'native'
  const grants: unknown = metadata.grant_types ?? []
  const isGiven = (grant: unknown): boolean => typeof grant === 'string' && GRANTS.includes(grant)
  if (!Array.isArray(grants) || !grants.every(isGiven))
    throw new errors.InvalidClientMetadata(`grant_types may be ${GRANTS.join(' and ')}`)
}

function redirectUrl(text: unknown): URL {
  const isPlain = typeof text === 'string' && PLAIN_ADDRESS.test(text)
  const url = isPlain && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.hash !== '' || url.username + url.password !== '')
    throw new errors.InvalidRedirectUri('redirect_uris must be addresses without user name and fragment')
  if (url.protocol === 'http:' && !LOOPBACK.includes(url.hostname))
    throw new errors.InvalidRedirectUri('redirect_uris over http must lead to the machine itself')
  if (!['https:', 'http:'].includes(url.protocol) && !APP_SCHEME.test(url.protocol))
    throw new errors.InvalidRedirectUri(
      `the scheme ${url.protocol} is not allowed: use https, http to 127.0.0.1, or a domain name in reverse such as com.example.app`,
    )
  return url
}
