import type { BridgeOptions } from './bridge-options.ts'
import { DeviceEndpoint } from './devices/endpoint.ts'
import { allow, deny, type Verdict } from './gates/verdict.ts'
import { Devices, type MayEnrol } from './identity/devices.ts'
import type { Authenticator, FrontDoor, SecurityLog, System } from './ports.ts'

/**
 * Where machines enrol, where the bridge is to have that.
 * @throws TypeError without an address that machines dial
 */
export function deviceEndpoint(
  { enrolment, publicUrls = [] }: BridgeOptions,
  { authenticator, log }: { readonly authenticator: Authenticator; readonly log: SecurityLog },
  door: FrontDoor,
  system: System,
): DeviceEndpoint | undefined {
  if (enrolment === undefined) return undefined
  if (publicUrls.length === 0)
    throw new TypeError('With enrolment, publicUrls must name the addresses that machines dial.')
  const addresses = publicUrls.map((url) => url.replace(/\/+$/, ''))
  const { mayEnrol = (token) => anyOfTheApp(authenticator, token), bridgeKey, ...parts } = enrolment
  const devices = new Devices({ ...parts, addresses, log, system })
  return new DeviceEndpoint({ devices, door, mayEnrol, bridgeKey, log, system })
}

/**
 * [ENROL.6] A machine may do all that its user may, so only a token without limits of its own may enrol one: for no
 * single resource, with no scopes, and bound to no key.
 */
async function anyOfTheApp(authenticator: Authenticator, token: string): Promise<Verdict<MayEnrol>> {
  const authenticated = await authenticator.authenticate(token)
  if (!authenticated.allowed) return authenticated
  const { userId, scopes, resource, deviceId, boundKeyId } = authenticated.value
  const isLimited = [scopes, resource, deviceId, boundKeyId].some((limit) => limit !== undefined)
  return isLimited ? deny('scope_insufficient', 'Needed: a token without limits.') : allow({ userId })
}
