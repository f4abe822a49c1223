import type { KeyObject } from 'node:crypto'
import type { BridgeOptions, System } from '@bridgekeeper/bridge'
import { AccessTokens, loadSigningKey, Recall, type SigningKey } from '@bridgekeeper/bridge/parts'
import { SetupError } from '../config/setup-error.ts'
import type { DataFolder } from '../data/data-folder.ts'
import { loadBridgeKey } from './bridge-key.ts'
import { byIssuer } from './by-issuer.ts'

/** The installation's own keys. */
export interface OwnKeys {
  /** Key of the authorization server. */
  readonly signing: SigningKey
  /** By which machines know the bridge. */
  readonly bridge: KeyObject
}

/**
 * Loads the keys, or creates them the first time. They depend on no address, so this runs before anything
 * listens.
 * @throws SetupError `keys_unusable`, or if the secret is invalid
 */
export async function ownKeys(data: DataFolder, system: System): Promise<OwnKeys> {
  const sealKey = data.keyFor('kept keys')
  const { keys } = data.stores
  try {
    const [signing, bridge] = await Promise.all([
      loadSigningKey(keys, sealKey, system),
      loadBridgeKey(keys, sealKey, system),
    ])
    return { signing, bridge }
  } catch (cause) {
    throw new SetupError(
      'keys_unusable',
      `The keys of this installation cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Nothing was changed. Restore the database from a backup; or set a new JWT_SECRET, which ends all logins and enrolments.',
      { cause },
    )
  }
}

export interface OwnTokensOptions {
  /** The bridge's own address: who issues the tokens. */
  readonly issuer: string
  /** All addresses under which it is reached. */
  readonly publicUrls: readonly string[]
  readonly keys: OwnKeys
  readonly data: DataFolder
  readonly system: System
}

/** The options of a bridge that accepts the node's own tokens and enrols machines. */
export type OwnTokens = Required<
  Pick<BridgeOptions, 'authenticator' | 'publicUrls' | 'authorizationServers' | 'proof' | 'enrolment'>
>

/** Authentication and enrolment of a node that keeps its own accounts. */
export function ownTokens({ issuer, publicUrls, keys, data, system }: OwnTokensOptions): OwnTokens {
  const { users, sessions, devices } = data.stores
  const recalled = new Recall(system)
  const access = new AccessTokens({ key: keys.signing, issuer, users, sessions, devices, system, recalled })
  return {
    authenticator: byIssuer(issuer, access, data.tokens(recalled), recalled),
    publicUrls,
    authorizationServers: [issuer],
    proof: { devices, key: keys.bridge },
    enrolment: { sessions, users, tokens: access, mayEnrol: (token) => access.verifyEnrolment(token) },
  }
}
