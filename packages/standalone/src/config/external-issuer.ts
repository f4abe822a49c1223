import { type Authenticator, createJwksAuthenticator, type System } from '@bridgekeeper/bridge'
import type { Environment } from '@bridgekeeper/bridge/parts'
import { SetupError } from './setup-error.ts'

const VARIABLES = ['BRIDGEKEEPER_JWKS_URL', 'BRIDGEKEEPER_JWT_ISSUER', 'BRIDGEKEEPER_JWT_AUDIENCE'] as const

/**
 * [JWKS.4] Who verifies tokens where the environment names an identity provider: that provider's keys, and
 * nothing else; then a token of our own making is not taken. `undefined` where it names none.
 * @throws SetupError `setting_invalid`
 */
export function externalIssuer(env: Environment, system: System): Authenticator | undefined {
  const [address, issuer, audience] = VARIABLES.map((name) => env[name]?.trim() || undefined)
  if (address === undefined && issuer === undefined && audience === undefined) return undefined
  if (address === undefined || issuer === undefined || audience === undefined) {
    throw new SetupError(
      'setting_invalid',
      `Of ${VARIABLES.join(', ')} some are set, and some are not.`,
      "Set all three to use an identity provider's tokens, or none to use the bridge's own.",
    )
  }
  try {
    return createJwksAuthenticator({ jwks: new URL(address), issuer, audience }, undefined, system)
  } catch (cause) {
    throw new SetupError(
      'setting_invalid',
      'BRIDGEKEEPER_JWKS_URL is no address of keys.',
      'Give the https address of a JSON Web Key Set (its jwks_uri).',
      { cause },
    )
  }
}
