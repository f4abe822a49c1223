import { expect, test } from 'vitest'
import { describeStores } from './databases.ts'
import { NOW_MS, PASSKEY } from './examples.ts'

describeStores('credentials', (fresh) => {
  test('[STORE.7] sets and removes password and second factor independently', async () => {
    const { credentials } = await fresh()()
    expect(await credentials.find('user_1')).toBeUndefined()
    await credentials.setTotp('user_1', 'sealed')
    await credentials.setPassword('user_1', '$argon2id$1')
    expect(await credentials.find('user_1')).toEqual({
      userId: 'user_1',
      passwordHash: '$argon2id$1',
      totpSecret: 'sealed',
    })
    await credentials.setPassword('user_1', undefined)
    expect(await credentials.find('user_1')).toEqual({ userId: 'user_1', totpSecret: 'sealed' })
    await credentials.setTotp('user_1', undefined)
    expect(await credentials.find('user_1')).toEqual({ userId: 'user_1' })
  })

  test('[STORE.7] accepts one time step once, also under concurrent use, and refuses earlier ones', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    await one.credentials.setTotp('user_1', 'sealed')
    const used = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? one : other).credentials.useTotpStep('user_1', 100),
      ),
    )
    expect(used.filter((wasUsed) => wasUsed)).toHaveLength(1)
    expect(await one.credentials.useTotpStep('user_1', 99)).toBe(false)
    expect(await one.credentials.useTotpStep('user_1', 101)).toBe(true)
    await one.credentials.setTotp('user_1', 'sealed')
    expect(await one.credentials.useTotpStep('user_1', 101)).toBe(false)
    await one.credentials.setTotp('user_1', 'another')
    expect(await one.credentials.useTotpStep('user_1', 101)).toBe(true)
    expect(await one.credentials.useTotpStep('nobody', 1)).toBe(false)
  })

  test('[STORE.7] keeps a passkey with one user, and only raises its counter', async () => {
    const { credentials } = await fresh()()
    expect(await credentials.addPasskey(PASSKEY)).toBe(true)
    expect(await credentials.addPasskey({ ...PASSKEY, userId: 'user_2' })).toBe(false)
    await credentials.addPasskey({ ...PASSKEY, credentialId: 'c2', createdAtMs: NOW_MS + 1 })
    await credentials.usedPasskey('c1', 9)
    await credentials.usedPasskey('c1', 8)
    expect(await credentials.findPasskey('c1')).toEqual({ ...PASSKEY, counter: 9 })
    expect((await credentials.passkeysOf('user_1')).map(({ credentialId }) => credentialId)).toEqual([
      'c1',
      'c2',
    ])
    expect(await credentials.removePasskey('user_2', 'c1')).toBe(false)
    expect(await credentials.removePasskey('user_1', 'c1')).toBe(true)
    expect(await credentials.findPasskey('c1')).toBeUndefined()
  })

  test('[STORE.7] links a provider’s subject to one user, also under concurrent use', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    const linked = await Promise.all([
      one.credentials.linkIdentity('https://idp', 'sub', 'user_1'),
      other.credentials.linkIdentity('https://idp', 'sub', 'user_2'),
    ])
    expect(linked.filter((wasLinked) => wasLinked)).toHaveLength(1)
    const winner = linked[0] ? 'user_1' : 'user_2'
    expect(await one.credentials.findLinkedUser('https://idp', 'sub')).toBe(winner)
    expect(await one.credentials.findLinkedUser('https://other', 'sub')).toBeUndefined()
    expect(await one.credentials.linkedIdentitiesOf(winner)).toEqual([
      { issuer: 'https://idp', subject: 'sub' },
    ])
    expect(await one.credentials.unlinkIdentity('user_3', 'https://idp', 'sub')).toBe(false)
    expect(await one.credentials.unlinkIdentity(winner, 'https://idp', 'sub')).toBe(true)
    expect(await one.credentials.linkedIdentitiesOf(winner)).toEqual([])
  })
})
