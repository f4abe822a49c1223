import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SecurityEvent } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { openSqliteStores } from '../src/adapters/sql/open.ts'
import { OperatorLogins } from '../src/operations/logins.ts'
import { DEVICE, SESSION } from './contract/examples.ts'

async function setUp() {
  const system = new FakeSystem()
  const path = join(scratch(), 'operator.db')
  const stores = await openSqliteStores(path, system)
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
  return { path, stores, events, logins, addUser }
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

test.each([
  [
    'all logins of a user',
    (logins: OperatorLogins, email: string) => logins.revokeUser(email),
    ['device d1', 'session s1', 'user u1'],
  ],
  ['a login', (logins: OperatorLogins) => logins.revokeSession('s1'), ['session s1']],
  ['the login of a machine', (logins: OperatorLogins) => logins.revokeSession('m1'), ['device d1']],
  ['a machine', (logins: OperatorLogins) => logins.revokeDevice('d1'), ['device d1']],
])(
  '[REVOKE.12] revoking %s changes nothing if it cannot be published, and the retry publishes it',
  async (_, revoke, published) => {
    const { path, stores, events, logins, addUser } = await setUp()
    const email = await addUser(1)
    await stores.sessions.add({ ...SESSION, sessionId: 'm1', userId: 'u1', kind: 'device', deviceId: 'd1' })
    await stores.devices.add({ ...DEVICE, userId: 'u1', sessionId: 'm1' })
    const told: string[] = []
    stores.revocations.watch(({ kind, id }) => told.push(`${kind} ${id}`))
    runSql(path, 'alter table revocations rename to missing')
    for (let time = 0; time < 2; time++) await expect(revoke(logins, email)).rejects.toThrow('revocations')
    expect([await stores.devices.ofUser('u1'), await stores.sessions.ofUser('u1')]).toMatchObject([
      { length: 1 },
      { length: 2 },
    ])
    expect(events).toEqual([])
    runSql(path, 'alter table missing rename to revocations')
    await revoke(logins, email)
    await stores.revocations.publish({ kind: 'user', id: 'last' })
    expect(told).toEqual([...published, 'user last'])
  },
)

function runSql(path: string, statement: string): void {
  const file = new DatabaseSync(path)
  file.exec(statement)
  file.close()
}
