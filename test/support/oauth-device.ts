import { AGENT_CLIENT_ID } from '@bridgekeeper/protocol'
import * as oauth from 'oauth4webapi'
import type { OAuthNode } from './oauth.ts'
import { INSECURE } from './oauth-client.ts'
import type { Page, Person } from './person.ts'

/** RFC 7638's own example of a thumbprint. */
export const DEVICE_KEY = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
export const AGENT: oauth.Client = { client_id: AGENT_CLIENT_ID }
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** Parameters of an agent, with changes; `undefined` removes one. */
export function deviceParameters(
  node: Pick<OAuthNode, 'url'>,
  changes: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const all = {
    scope: 'device:enroll',
    resource: `${node.url}/api/devices`,
    device_name: "Ann's laptop",
    device_key: DEVICE_KEY,
    ...changes,
  }
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

export async function askDevice(
  node: Pick<OAuthNode, 'url'>,
  as: oauth.AuthorizationServer,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<oauth.DeviceAuthorizationResponse> {
  const response = await oauth.deviceAuthorizationRequest(
    as,
    AGENT,
    oauth.None(),
    deviceParameters(node, changes),
    INSECURE,
  )
  return oauth.processDeviceAuthorizationResponse(as, AGENT, response)
}

/** The user enters the code. @returns the page that shows the request */
export async function enterCode(person: Person, node: Pick<OAuthNode, 'url'>, code: string): Promise<Page> {
  const page = await person.visit(`${node.url}/device`)
  return person.submit(page, { action: '/device' }, { user_code: code })
}
