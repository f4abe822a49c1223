import type { SecurityEvent } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { openSqliteStores } from '../src/adapters/sql/open.ts'
import { OperatorLogins } from '../src/operations/logins.ts'
import { DEVICE, deviceKey, SESSION } from './contract/examples.ts'

async function setUp() {
  const system = new FakeSystem()
  const stores = await openSqliteStores(':memory:', system)
  onTestFinished(() => stores.close())
  const events: SecurityEvent[] = []
  const logins = new OperatorLogins(stores, system, async (event) => void events.push(event))
  const addUser = async (n: number) => {
    const userId = `u${n}`
    const email = `${String(n).padStart(5, '0')}@x.y`
    await stores.users.add({ userId, email, tokenVersion: 0, createdAtMs: 0, state: 'active' })
    await stores.sessions.add({ ...SESSION, sessionId: `s${n}`, userId })
    return email
  }
  return { system, stores, events, logins, addUser }
}

test.each([499, 500, 501, 1_001])(
  '[REVOKE.11] the logins and machines of %i users are all listed, by email',
  async (count) => {
    const { stores, logins, addUser } = await setUp()
    for (let n = 0; n < count; n++) await addUser(n)
    const last = count - 1
    await stores.devices.add({ ...DEVICE, userId: `u${last}`, sessionId: `s${last}` })
    const sessions = await logins.sessions()
    expect(sessions.map(({ sessionId }) => sessionId)).toEqual(
      Array.from({ length: count }, (_, n) => `s${n}`),
    )
    expect(await logins.devices()).toMatchObject([{ deviceId: 'd1', email: sessions.at(-1)?.email }])
  },
)

test('[REVOKE.10] a revocation that fails midway is whole once it is tried again', async () => {
  const { stores, logins, addUser } = await setUp()
  const email = await addUser(1)
  for (const n of [1, 2])
    await stores.devices.add({
      ...DEVICE,
      userId: 'u1',
      deviceId: `d${n}`,
      sessionId: `m${n}`,
      keys: [deviceKey(`k${n}`)],
    })
  const told: string[] = []
  const published: string[] = []
  stores.revocations.watch(({ kind, id }) => told.push(`${kind} ${id}`))
  const publish = stores.revocations.publish.bind(stores.revocations)
  let failures = 2
  stores.revocations.publish = async (revocation) => {
    if (failures-- > 0) throw new Error('down')
    published.push(`${revocation.kind} ${revocation.id}`)
    await publish(revocation)
  }
  for (let time = 0; time < 2; time++) await expect(logins.revokeUser(email)).rejects.toThrow('down')
  await logins.revokeUser(email)
  expect(await stores.devices.ofUser('u1')).toEqual([])
  expect(await stores.sessions.ofUser('u1')).toEqual([])
  // Nodes end what is open of the whole user, so also of the machines whose own revocation was lost.
  expect(told).toEqual(['user u1'])
  expect(published).toEqual(['user u1'])
  expect((await stores.users.findById('u1'))?.tokenVersion).toBe(1)
})
