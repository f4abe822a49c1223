import { realSystem } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { memoryKeys } from '../../bridge/test/support/identity-stores.ts'
import { loadBridgeKey } from '../src/tokens/bridge-key.ts'

const system = realSystem()
const sealKey = Buffer.alloc(32, 1)

test('[ENROL.7] shares one key between the nodes of an installation, unreadable in the store', async () => {
  const store = memoryKeys()
  const [one, two] = await Promise.all([
    loadBridgeKey(store, sealKey, system),
    loadBridgeKey(store, sealKey, system),
  ])
  expect(one.equals(two)).toBe(true)
  expect(one).toMatchObject({ type: 'private', asymmetricKeyType: 'ed25519' })
  const bytes = String(one.export({ format: 'jwk' }).d)
  const kept = [...store.kept.values()].join()
  expect(kept).not.toContain('PRIVATE')
  expect(Buffer.from(kept.slice(3), 'base64url').includes(Buffer.from(bytes, 'base64url'))).toBe(false)
})

test('[ENROL.7] has another key for another secret, and reports a changed one', async () => {
  const store = memoryKeys()
  const one = await loadBridgeKey(store, sealKey, system)
  expect((await loadBridgeKey(store, Buffer.alloc(32, 2), system)).equals(one)).toBe(false)
  const [[name, sealed] = ['', '']] = [...store.kept]
  store.kept.set(name, `${sealed.slice(0, -1)}${sealed.endsWith('A') ? 'B' : 'A'}`)
  await expect(loadBridgeKey(store, sealKey, system)).rejects.toThrow('was modified')
})
