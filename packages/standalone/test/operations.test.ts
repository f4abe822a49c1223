import { createTokens, type SecurityEvent } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { openSqliteStores } from '../src/adapters/sql/open.ts'
import { type Operations, operationsOn } from '../src/operations/operations.ts'
import { ANN, DEVICE, SESSION } from './contract/examples.ts'

const ACTOR = { by: 'user_admin', ip: '203.0.113.9' }
const PASSWORD = 'a long walk by the sea'

async function setUp() {
  const system = new FakeSystem()
  const stores = await openSqliteStores(':memory:', system)
  onTestFinished(() => stores.close())
  const events: SecurityEvent[] = []
  const revoked: string[] = []
  const operations = operationsOn({
    stores,
    revoke: async ({ kind, id }) => void revoked.push(`${kind} ${id}`),
    log: { logSecurityEvent: (event) => void events.push(event) },
    tokens: async () => createTokens(Buffer.alloc(32, 1), stores.users, system, stores.sessions),
    system,
  })
  await stores.users.add(ANN)
  await stores.sessions.add({ ...SESSION, sessionId: 's2' })
  await stores.sessions.add({ ...SESSION, kind: 'device', deviceId: DEVICE.deviceId })
  await stores.devices.add(DEVICE)
  return { system, stores, events, revoked, operations }
}

type Act = (operations: Operations) => Promise<unknown>

const BROWSER = { ...SESSION, sessionId: 's2' }

test.each<[string, Act, readonly string[], readonly string[]]>([
  ['add', ({ users }) => users.add('bob@example.com', ACTOR), ['user_added'], []],
  ['suspend', ({ users }) => users.suspend(ANN, ACTOR), ['user_suspended'], ['user user_1']],
  ['resume', ({ users }) => users.resume(ANN, ACTOR), ['user_resumed'], []],
  ['setRole', ({ users }) => users.setRole(ANN, 'admin', ACTOR), ['user_role_changed'], []],
  ['remove', ({ users }) => users.remove(ANN, ACTOR), ['user_deleted'], ['user user_1']],
  ['set a password', ({ passwords }) => passwords.set(ANN, PASSWORD, ACTOR), ['password_changed'], []],
  [
    'reset a password',
    ({ passwords }) => passwords.reset(ANN, PASSWORD, ACTOR),
    ['password_changed', 'session_ended'],
    ['session s2'],
  ],
  ['end a session', ({ sessions }) => sessions.end(BROWSER, ACTOR), ['session_ended'], ['session s2']],
  [
    'end the session of a machine',
    async ({ sessions }) => sessions.end(await sessions.find('s1'), ACTOR),
    ['device_revoked'],
    ['device d1'],
  ],
  ['revoke a machine', ({ devices }) => devices.revoke(DEVICE, ACTOR), ['device_revoked'], ['device d1']],
  [
    'log out',
    ({ revocations }) => revocations.logOut(ANN, ACTOR),
    ['user_logged_out', 'session_ended'],
    ['user user_1'],
  ],
  [
    'revoke a user',
    ({ revocations }) => revocations.revokeUser(ANN, ACTOR),
    ['device_revoked', 'user_logged_out', 'session_ended'],
    ['device d1', 'user user_1'],
  ],
  ['issue a token', ({ tokens }) => tokens.issue(ANN, 60_000, undefined, ACTOR), ['token_issued'], []],
  ['block', ({ blocks }) => blocks.addAddress('203.0.113.7', 60_000, ACTOR), ['block_added'], []],
  [
    'lift',
    async ({ blocks }) => {
      await blocks.addAddress('203.0.113.7', 60_000, ACTOR)
      await blocks.lift('203.0.113.7', ACTOR)
    },
    ['block_added', 'block_lifted'],
    [],
  ],
])(
  '[OPS.1] %s records what happened and who acted, and revokes what it ended',
  async (_, act, recorded, ended) => {
    const { operations, events, revoked } = await setUp()
    await act(operations)
    expect(events.map(({ event }) => event)).toEqual(recorded)
    for (const event of events) expect(event).toMatchObject(ACTOR)
    expect(revoked).toEqual(ended)
  },
)

test.each<[string, Act]>([
  ['user_unknown', ({ users }) => users.find('nobody@example.com')],
  ['user_unknown', ({ users }) => users.suspend({ userId: 'gone' }, ACTOR)],
  ['user_unknown', ({ users }) => users.setRole({ userId: 'gone' }, 'admin', ACTOR)],
  ['user_unknown', ({ revocations }) => revocations.logOut({ userId: 'gone' }, ACTOR)],
  ['user_exists', ({ users }) => users.add('ANN@example.com', ACTOR)],
  ['email_invalid', ({ users }) => users.add('no address', ACTOR)],
  ['password_refused', ({ passwords }) => passwords.reset(ANN, 'short', ACTOR)],
  ['session_unknown', ({ sessions }) => sessions.find('gone')],
  ['device_unknown', ({ devices }) => devices.find('gone')],
  ['scope_invalid', ({ tokens }) => tokens.issue(ANN, 1, ['admin'], ACTOR)],
  ['address_invalid', ({ blocks }) => blocks.addAddress('localhost', 1, ACTOR)],
  ['block_unknown', ({ blocks }) => blocks.lift('203.0.113.7', ACTOR)],
])('[OPS.2] fails an impossible act with %s, and records nothing: case %#', async (code, act) => {
  const { operations, events, revoked } = await setUp()
  await expect(act(operations)).rejects.toMatchObject({ code, next: expect.stringMatching(/\w/) })
  expect([events, revoked]).toEqual([[], []])
})

test('[OPS.1] records acts of users as theirs', async () => {
  const { operations, events } = await setUp()
  await operations.sessions.endGroups({ userId: ANN.userId, keptId: 'none' }, ['logins', 'machines'], {
    by: ANN.userId,
  })
  expect(events).toMatchObject([
    { event: 'device_revoked', by: ANN.userId },
    { event: 'session_ended', reason: 'ended_by_user', by: ANN.userId },
  ])
})

test('[OPS.3] lists users in pages, the last without a next one', async () => {
  const { operations } = await setUp()
  for (const name of ['bob', 'cid', 'dan']) await operations.users.add(`${name}@example.com`, ACTOR)
  const first = await operations.users.list('', 2)
  expect(first.users.map(({ email }) => email)).toEqual(['Ann@example.com', 'bob@example.com'])
  expect(first.nextAfter).toBe('bob@example.com')
  const last = await operations.users.list('bob@example.com', 2)
  expect(last.users.map(({ email }) => email)).toEqual(['cid@example.com', 'dan@example.com'])
  expect(last.nextAfter).toBeUndefined()
})
