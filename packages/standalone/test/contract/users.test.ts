import { memoryUsers, type User } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { describeStores } from './databases.ts'
import { ANN, CODE, DEVICE, deviceKey, PASSKEY, SESSION } from './examples.ts'

const BOB: User = { ...ANN, userId: 'user_2', email: 'bob@example.com' }

describeStores('users', (fresh) => {
  test('[DATA.1] finds a user by id and by email in any letter case, in every process', async () => {
    const open = fresh()
    const [{ users }, other] = [await open(), await open()]
    expect(await users.add(ANN)).toEqual(ANN)
    expect(await other.users.findById('user_1')).toEqual(ANN)
    expect(await other.users.findByEmail('aNN@EXAMPLE.com')).toEqual(ANN)
    expect(await users.findById('user_2')).toBeUndefined()
    expect(await users.findByEmail("' OR 1=1 --")).toBeUndefined()
  })

  test('[DATA.1] adds a user without a role as a user', async () => {
    const { users } = await fresh()()
    const { role: _none, ...plain } = ANN
    await users.add(plain)
    expect(await users.findById('user_1')).toEqual(ANN)
  })

  test('[DATA.1] gives an email to one user when two processes add it at once', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    const added = await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        const email = index % 3 === 0 ? 'ANN@example.com' : 'ann@EXAMPLE.com'
        return (index % 2 === 0 ? one : other).users.add({ ...ANN, userId: `user_${index}`, email })
      }),
    )
    const winners = added.filter((user) => user !== undefined)
    expect(winners).toHaveLength(1)
    expect(await other.users.findByEmail('ann@example.com')).toEqual(winners[0])
    expect(await one.users.list('', 10)).toEqual(winners)
  })

  test('[DATA.1] treats look-alike emails in other alphabets as different', async () => {
    const { users } = await fresh()()
    await users.add({ ...ANN, email: 'mike@example.com' })
    // The Kelvin sign has the lower case k in Unicode.
    expect(await users.findByEmail('mi\u212ae@example.com')).toBeUndefined()
    expect(await users.add({ ...ANN, userId: 'user_2', email: 'Ärger@example.com' })).toBeDefined()
    expect(await users.add({ ...ANN, userId: 'user_3', email: 'ärger@example.com' })).toBeDefined()
    expect(await users.findByEmail('ärger@EXAMPLE.com')).toMatchObject({ userId: 'user_3' })
  })

  test('[DATA.6] suspends, resumes and promotes one user only', async () => {
    const { users } = await fresh()()
    await users.add(ANN)
    await users.add(BOB)
    expect(await users.setState('user_1', 'suspended')).toEqual({ ...ANN, state: 'suspended' })
    expect(await users.findByEmail(ANN.email)).toEqual({ ...ANN, state: 'suspended' })
    expect(await users.setState('user_1', 'active')).toEqual(ANN)
    expect(await users.setRole('user_1', 'admin')).toEqual({ ...ANN, role: 'admin' })
    expect(await users.findById('user_2')).toEqual(BOB)
    expect(await users.setState('user_3', 'active')).toBeUndefined()
    expect(await users.setRole('user_3', 'admin')).toBeUndefined()
  })

  test('[DATA.6] applies each of several concurrent raises of a token version', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    await one.users.add(ANN)
    const raise = (index: number) => (index % 2 === 0 ? one : other).users.raiseTokenVersion('user_1')
    await Promise.all(Array.from({ length: 10 }, (_, index) => raise(index)))
    expect(await one.users.findById('user_1')).toEqual({ ...ANN, tokenVersion: 12 })
    expect(await one.users.raiseTokenVersion('user_3')).toBeUndefined()
  })

  test('[DATA.7] lists users by email in pages', async () => {
    const { users } = await fresh()()
    const emails = ['Zoe@x.y', 'ann@x.y', 'Bob@x.y', 'carl@x.y']
    for (const email of emails) await users.add({ ...ANN, userId: email, email })
    const emailsAfter = async (after: string) => (await users.list(after, 2)).map(({ email }) => email)
    expect(await emailsAfter('')).toEqual(['ann@x.y', 'Bob@x.y'])
    expect(await emailsAfter('BOB@x.y')).toEqual(['carl@x.y', 'Zoe@x.y'])
    expect(await emailsAfter('zoe@x.y')).toEqual([])
  })

  test('[STORE.10] deletes a user with everything of theirs and nothing else, and still refuses their keys', async () => {
    const stores = await fresh()(new FakeSystem())
    const { users, sessions, refreshTokens, devices, credentials, oauth, callTimes, fingerprints } = stores
    for (const { userId, email } of [ANN, BOB]) {
      await users.add({ ...ANN, userId, email })
      await sessions.add({ ...SESSION, sessionId: userId, userId })
      await oauth.put({ ...CODE, id: userId, grantId: userId })
      await fingerprints.remember(userId, 'print', SESSION.seenAtMs)
      await devices.add({ ...DEVICE, deviceId: userId, userId, keys: [deviceKey(userId)] })
      await credentials.setPassword(userId, 'hash')
      await credentials.addPasskey({ ...PASSKEY, credentialId: userId, userId })
      await credentials.linkIdentity('https://idp', userId, userId)
      await callTimes.save([[userId, [SESSION.seenAtMs]]])
    }
    const kept = async (id: string) => [
      await users.findById(id),
      await sessions.find(id),
      await oauth.find(CODE.model, id),
      await fingerprints.last(id),
      await devices.find(id),
      await credentials.find(id),
      await credentials.findPasskey(id),
      await credentials.findLinkedUser('https://idp', id),
    ]
    expect(await users.remove('user_1')).toBe(true)
    expect(new Set(await kept('user_1'))).toEqual(new Set([undefined]))
    expect(await refreshTokens.redeem('user_1', 1, SESSION.seenAtMs)).toEqual({ state: 'unknown' })
    expect(await kept('user_2')).not.toContain(undefined)
    expect([...(await callTimes.load(0))].map(([userId]) => userId)).toEqual(['user_2'])
    expect(await devices.add({ ...DEVICE, userId: 'user_2', keys: [deviceKey('user_1')] })).toBe(false)
    expect(await users.remove('user_1')).toBe(false)
  })
})

test('[DATA.1] applies the same contract to users in memory', async () => {
  const users = memoryUsers()
  expect(await users.add(ANN)).toEqual(ANN)
  expect(await users.add({ ...ANN, userId: 'user_2', email: 'ann@example.com' })).toBeUndefined()
  expect(await users.findByEmail('aNN@EXAMPLE.com')).toEqual(ANN)
  expect(await users.setState('user_1', 'suspended')).toEqual({ ...ANN, state: 'suspended' })
  expect(await users.raiseTokenVersion('user_1')).toMatchObject({ tokenVersion: 3 })
  expect(await users.raiseTokenVersion('user_3')).toBeUndefined()
})
