import { AGENT_CLIENT_ID } from '@bridgekeeper/protocol'
import type { ClientMetadata } from 'oidc-provider'
import { reduceMetadata } from './client-metadata.ts'

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
/** Members that the server itself gives a client. */
const GIVEN = ['client_id', 'client_id_issued_at', 'client_secret', 'client_secret_expires_at']

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
 * [OAUTH.7] Reduces every client, also a stored one, to what is allowed. Codes may go to https, to the user's
 * own machine, or to a scheme that is a reversed domain name; other schemes start arbitrary programs.
 *
 * @param metadata is changed @throws errors.InvalidRedirectUri, errors.InvalidClientMetadata
 */
export function checkClient(metadata: ClientMetadata): void {
  if (metadata.client_id === AGENT_CLIENT_ID) return
  const reduced = reduceMetadata(metadata)
  for (const name of Object.keys(metadata))
    if (!(name in reduced) && !GIVEN.includes(name)) delete metadata[name]
  Object.assign(metadata, reduced)
}
