import { createPublicKey, type KeyObject } from 'node:crypto'
import { thumbprint } from '@bridgekeeper/protocol'
import type { BridgeOptions } from './bridge-options.ts'
import { DeviceRegistry, type MayEnrol } from './devices/device-registry.ts'
import { DeviceEndpoint } from './devices/endpoint.ts'
import { ownNames } from './gates/own-names.ts'
import { allow, deny, type Verdict } from './gates/verdict.ts'
import type { Authenticator, FrontDoor, SecurityLog, System } from './ports.ts'

/**
 * Creates the device endpoint, if the options ask for enrolment.
 * @throws TypeError without a public URL, or without the key that devices pin
 */
export function deviceEndpoint(
  { enrolment, proof, publicUrls = [] }: BridgeOptions,
  { authenticator, log }: { readonly authenticator: Authenticator; readonly log: SecurityLog },
  door: FrontDoor,
  system: System,
): DeviceEndpoint | undefined {
  if (enrolment === undefined) return undefined
  if (publicUrls.length === 0)
    throw new TypeError('enrolment requires publicUrls, the addresses to which machines connect.')
  if (proof === undefined)
    throw new TypeError('enrolment requires proof, with the key that machines pin and the store of devices.')
  const addresses = ownNames(publicUrls.map((url) => url.replace(/\/+$/, '')))
  const { mayEnrol = (token) => anyOfTheApp(authenticator, token), ...parts } = enrolment
  const registry = new DeviceRegistry({ ...parts, devices: proof.devices, addresses, log, system })
  return new DeviceEndpoint({ registry, door, mayEnrol, bridgeKey: publicKeyOf(proof.key), log, system })
}

/** The bridge's public key, which devices pin. */
function publicKeyOf(key: KeyObject): { readonly keyId: string; readonly jwk: object } {
  const { kty, crv, x } = createPublicKey(key).export({ format: 'jwk' })
  const jwk = { kty, crv, x }
  return { jwk, keyId: thumbprint(jwk) }
}

/**
 * [ENROL.6] A device may do everything its user may, so only an unlimited token may enrol one: no resource,
 * no scopes, no key.
 */
async function anyOfTheApp(authenticator: Authenticator, token: string): Promise<Verdict<MayEnrol>> {
  const authenticated = await authenticator.authenticate(token)
  if (!authenticated.allowed) return authenticated
  const { userId, scopes, resource, deviceId, boundKeyId } = authenticated.value
  const isLimited = [scopes, resource, deviceId, boundKeyId].some((limit) => limit !== undefined)
  return isLimited ? deny('scope_insufficient', 'It requires a token without limits.') : allow({ userId })
}
