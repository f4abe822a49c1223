import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { System } from '@bridgekeeper/bridge'
import { type KeyStore, seal, unseal } from '@bridgekeeper/bridge/parts'

/**
 * Loads the installation's key, which devices pin, or creates it. Nodes that start at once get the same key.
 * Its name depends on the secret: a new secret makes a new key, and devices that pinned the old one must
 * enrol again.
 *
 * @param sealKey 32 bytes, derived from the installation's secret
 * @throws Error if the stored key was changed
 */
export async function loadBridgeKey(
  store: KeyStore,
  sealKey: Uint8Array,
  system: System,
): Promise<KeyObject> {
  const name = `bridge-${createHash('sha256').update(sealKey).digest('hex').slice(0, 16)}`
  const kept = (await store.get(name)) ?? (await store.keep(name, seal(sealKey, name, freshKey(), system)))
  const pem = unseal(sealKey, name, kept)
  if (pem === undefined) throw new Error("The bridge's key in the store was modified.")
  return createPrivateKey(pem)
}

function freshKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}
