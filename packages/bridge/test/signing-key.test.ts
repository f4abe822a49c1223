import { expect, test } from 'vitest'
import { realSystem } from '../src/system.ts'
import { seal, unseal } from '../src/tokens/sealed.ts'
import { loadSigningKey } from '../src/tokens/signing-key.ts'
import { memoryKeys } from './support/identity-stores.ts'

const KEY = Buffer.alloc(32, 1)
const system = realSystem()

test('[OAUTH.2] opens a sealed value with its key and name only, unchanged', () => {
  const sealed = seal(KEY, 'a', 'secret', system)
  expect(sealed).not.toContain('secret')
  expect(sealed).not.toBe(seal(KEY, 'a', 'secret', system))
  expect(unseal(KEY, 'a', sealed)).toBe('secret')
  expect(unseal(KEY, 'b', sealed)).toBeUndefined()
  expect(unseal(Buffer.alloc(32, 2), 'a', sealed)).toBeUndefined()
  expect(unseal(KEY, 'a', '')).toBeUndefined()
  expect(unseal(KEY, 'a', sealed.slice(3))).toBeUndefined()
  expect(unseal(KEY, 'a', 'v1.AAAA')).toBeUndefined()
  const bytes = Buffer.from(sealed.slice(3), 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 1
    expect(unseal(KEY, 'a', `v1.${changed.toString('base64url')}`)).toBeUndefined()
  }
})

test('[OAUTH.2] creates the key once, also on nodes that start at once, and stores it sealed', async () => {
  const store = memoryKeys()
  const [one, two] = await Promise.all([
    loadSigningKey(store, KEY, system),
    loadSigningKey(store, KEY, system),
  ])
  const later = await loadSigningKey(store, KEY, system)
  expect(new Set([one.keyId, two.keyId, later.keyId]).size).toBe(1)
  expect(store.kept.size).toBe(1)
  expect([...store.kept.values()].join()).not.toContain(String(one.privateJwk.d))
  expect(Object.keys(one.publicJwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
})

test('[OAUTH.2] has another key for another secret, and fails on a changed one', async () => {
  const store = memoryKeys()
  const { keyId } = await loadSigningKey(store, KEY, system)
  expect((await loadSigningKey(store, Buffer.alloc(32, 2), system)).keyId).not.toBe(keyId)
  const [name = '', other = ''] = store.kept.keys()
  store.kept.set(name, String(store.kept.get(other)))
  await expect(loadSigningKey(store, KEY, system)).rejects.toThrow('was modified')
})
