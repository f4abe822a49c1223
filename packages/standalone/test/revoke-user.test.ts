import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SecurityEvent } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { openSqliteStores } from '../src/adapters/sql/open.ts'
import { type Operations, operationsOn } from '../src/operations/operations.ts'
import { OPERATOR } from '../src/operations/parts.ts'
import { DEVICE, SESSION } from './contract/examples.ts'

async function setUp() {
  const system = new FakeSystem()
  const path = join(scratch(), 'operator.db')
  const stores = await openSqliteStores(path, system)
  onTestFinished(() => stores.close())
  const events: SecurityEvent[] = []
  const operations = operationsOn({
    stores,
    revoke: (revocation) => stores.revocations.publish(revocation),
    log: { logSecurityEvent: (event) => void events.push(event) },
    tokens: () => Promise.reject(new Error('issues none')),
    system,
  })
  const addUser = async (n: number) => {
    const userId = `u${n}`
    const email = `${String(n).padStart(5, '0')}@x.y`
    await stores.users.add({ userId, email, tokenVersion: 0, createdAtMs: 0, state: 'active' })
    await stores.sessions.add({ ...SESSION, sessionId: `s${n}`, userId })
    return email
  }
  return { path, stores, events, operations, addUser }
}

test.each([499, 500, 501, 1_001])(
  '[REVOKE.11] lists the logins and machines of %i users by email',
  async (count) => {
    const { stores, operations, addUser } = await setUp()
    for (let n = 0; n < count; n++) await addUser(n)
    const last = count - 1
    await stores.devices.add({ ...DEVICE, userId: `u${last}`, sessionId: `s${last}` })
    const sessions = await operations.sessions.list()
    expect(sessions.map(({ sessionId }) => sessionId)).toEqual(
      Array.from({ length: count }, (_, n) => `s${n}`),
    )
    expect(await operations.devices.list()).toMatchObject([{ deviceId: 'd1', email: sessions.at(-1)?.email }])
  },
)

test.each([
  [
    'all logins of a user',
    async (on: Operations, email: string) => on.revocations.revokeUser(await on.users.find(email), OPERATOR),
    ['device d1', 'session s1', 'user u1'],
  ],
  [
    'a login',
    async (on: Operations) => on.sessions.end(await on.sessions.find('s1'), OPERATOR),
    ['session s1'],
  ],
  [
    'the login of a machine',
    async (on: Operations) => on.sessions.end(await on.sessions.find('m1'), OPERATOR),
    ['device d1'],
  ],
  [
    'a machine',
    async (on: Operations) => on.devices.revoke(await on.devices.find('d1'), OPERATOR),
    ['device d1'],
  ],
])(
  '[REVOKE.12] changes nothing if revoking %s cannot be published, and publishes it at the retry',
  async (_, revoke, published) => {
    const { path, stores, events, operations, addUser } = await setUp()
    const email = await addUser(1)
    await stores.sessions.add({ ...SESSION, sessionId: 'm1', userId: 'u1', kind: 'device', deviceId: 'd1' })
    await stores.devices.add({ ...DEVICE, userId: 'u1', sessionId: 'm1' })
    const told = new Set<string>()
    stores.revocations.watch(({ kind, id }) => told.add(`${kind} ${id}`))
    runSql(path, 'alter table revocations rename to missing')
    for (let time = 0; time < 2; time++)
      await expect(revoke(operations, email)).rejects.toThrow('revocations')
    expect([await stores.devices.ofUser('u1'), await stores.sessions.ofUser('u1')]).toMatchObject([
      { length: 1 },
      { length: 2 },
    ])
    expect(events).toEqual([])
    runSql(path, 'alter table missing rename to revocations')
    await revoke(operations, email)
    await stores.revocations.publish({ kind: 'user', id: 'last' })
    expect([...told]).toEqual([...published, 'user last'])
  },
)

function runSql(path: string, statement: string): void {
  const file = new DatabaseSync(path)
  file.exec(statement)
  file.close()
}
