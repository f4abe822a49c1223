import { createHash } from 'node:crypto'
import type { KeyStore } from '../ports/keys.ts'
import type { System } from '../ports.ts'
import { seal, unseal } from './sealed.ts'

interface KeyParts {
  readonly store: KeyStore
  /** 32 bytes, derived from the installation's secret. */
  readonly sealKey: Uint8Array
  readonly system: System
}

/**
 * Loads a private key of the installation, or creates it. Nodes that start at the same time get the same key. Its
 * name in the store depends on the secret, so a new secret creates a new key.
 *
 * @param kind begins the name
 * @param create makes a private key as text
 * @throws Error if the stored key was modified
 */
export async function loadKeptKey(
  { store, sealKey, system }: KeyParts,
  kind: string,
  create: () => string,
): Promise<string> {
  const name = `${kind}-${createHash('sha256').update(sealKey).digest('hex').slice(0, 16)}`
  const kept = (await store.get(name)) ?? (await store.keep(name, seal(sealKey, name, create(), system)))
  const text = unseal(sealKey, name, kept)
  if (text === undefined) throw new Error(`The key ${name} in the store was modified.`)
  return text
}
