import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { System } from '@bridgekeeper/bridge'
import { type KeyStore, seal, unseal } from '@bridgekeeper/bridge/parts'

/**
 * The installation's own key, by which devices know the bridge, made when there is none; of several nodes that start
 * at once, all get the same. It is kept under a name that depends on the secret: with another secret there is another
 * key, and devices that pinned the one before do not take the bridge for theirs until they enrol again.
 *
 * @param sealKey 32 bytes, derived from the installation's secret
 * @throws Error when what is kept cannot be unsealed: it was changed
 */
export async function loadBridgeKey(
  store: KeyStore,
  sealKey: Uint8Array,
  system: System,
): Promise<KeyObject> {
  const name = `bridge-${createHash('sha256').update(sealKey).digest('hex').slice(0, 16)}`
  const kept = (await store.get(name)) ?? (await store.keep(name, seal(sealKey, name, freshKey(), system)))
  const pem = unseal(sealKey, name, kept)
  if (pem === undefined) throw new Error("The bridge's key in the store was changed by somebody.")
  return createPrivateKey(pem)
}

function freshKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}
