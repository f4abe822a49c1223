import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { System } from '@bridgekeeper/bridge'
import { type KeyStore, loadKeptKey } from '@bridgekeeper/bridge/parts'

/**
 * Loads the installation's key, which devices pin, or creates it. A new secret creates a new key, and devices that
 * pinned the old one must enrol again.
 *
 * @param sealKey 32 bytes, derived from the installation's secret
 * @throws Error if the stored key was changed
 */
export async function loadBridgeKey(
  store: KeyStore,
  sealKey: Uint8Array,
  system: System,
): Promise<KeyObject> {
  return createPrivateKey(await loadKeptKey({ store, sealKey, system }, 'bridge', freshKey))
}

function freshKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}
