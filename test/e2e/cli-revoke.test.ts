import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder, OPERATOR } from '@bridgekeeper/standalone'
import { beforeAll, expect, test } from 'vitest'
import { enrolledIn } from '../support/enrolled.ts'
import { bridgekeeper, jsonOf, login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { logOutUser, setUserState } from '../support/operator.ts'
import { verifiedPeer } from '../support/peer.ts'

const ENDED = { code: 4510, reason: 'login_revoked' }

/** On a busy machine a command takes its time to start. */
const SLOW_MS = 120_000

let bridge: RunningBridge

beforeAll(async () => {
  bridge = await serve()
})

const command = (...args: string[]) => bridgekeeper([...args, '--data', bridge.data, '--json'])

async function withData<T>(act: (data: DataFolder) => Promise<T>): Promise<T> {
  const data = await DataFolder.open(bridge.data, {}, realSystem())
  try {
    return await act(data)
  } finally {
    await data.close()
  }
}

test.each<[string, (data: DataFolder, email: string) => Promise<unknown>]>([
  ['suspend', (data, email) => setUserState(data, email, 'suspended')],
  ['logout', (data, email) => logOutUser(data, email)],
  ['delete', async ({ operations: { users } }, email) => users.remove(await users.find(email), OPERATOR)],
  ['revoke', revokeUser],
])(
  '[REVOKE.10] %s in another process ends a connected agent, and a call in flight without its result',
  async (name, act) => {
    const email = `${name}@example.com`
    const issued = await login(bridge.data, email)
    const agent = await verifiedPeer(bridge, issued)
    const answered = post(bridge, '/mcp', toolCall('s__t'), bearer(issued.accessToken))
    const { id } = await agent.next('tool_execute')
    await withData((data) => act(data, email))
    expect(await agent.closed).toEqual(ENDED)
    agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
    expect((await answered).status).toBe(401)
    expect((await post(bridge, '/mcp', toolCall('s__t'), bearer(issued.accessToken))).status).toBeGreaterThan(
      400,
    )
  },
)

test(
  '[REVOKE.10] [REVOKE.11] lists and ends a session by command, and keeps the user’s other session',
  async () => {
    const email = 'sess@example.com'
    const doomed = await login(bridge.data, email)
    const kept = await login(bridge.data, email)
    const [agent, other] = [await verifiedPeer(bridge, doomed), await verifiedPeer(bridge, kept)]
    const listed = (await jsonOf(command('sessions', email))) as {
      sessionId: string
    }[]
    expect(listed.map(({ sessionId }) => sessionId).sort()).toEqual([doomed.sessionId, kept.sessionId].sort())
    expect(await jsonOf(command('revoke', 'session', doomed.sessionId))).toEqual({
      sessionId: doomed.sessionId,
      userId: doomed.userId,
    })
    expect(await agent.closed).toEqual(ENDED)
    other.send({ type: 'ping' })
    await other.next('pong')
    const left = await withData((data) => data.operations.sessions.list())
    expect(left.filter((one) => one.email === email).map(({ sessionId }) => sessionId)).toEqual([
      kept.sessionId,
    ])
  },
  SLOW_MS,
)

async function revokeUser({ operations }: DataFolder, email: string): Promise<unknown> {
  return operations.revocations.revokeUser(await operations.users.find(email), OPERATOR)
}

test(
  '[REVOKE.10] [REVOKE.11] lists machines, and revokes them by id, by session or with their user',
  async () => {
    const email = 'dev@example.com'
    const { userId } = await login(bridge.data, email)
    for (const n of [1, 2, 3]) await enrolledIn(bridge.data, userId, n)
    const { stdout } = await bridgekeeper(['devices', '--data', bridge.data])
    expect(stdout).toMatch(/^DEVICE +USER +NAME +LAST SEEN\n/)
    expect(stdout).toContain('dev_1   dev@example.com  my')
    expect(stdout).not.toContain('\u001b')
    expect((await command('revoke', 'device', 'dev_1')).code).toBe(0)
    await withData(async (data) => {
      const { sessions, devices } = data.operations
      await sessions.end(await sessions.find('session-2'), OPERATOR)
      expect((await devices.list(email)).map(({ deviceId }) => deviceId)).toEqual(['dev_3'])
      expect((await sessions.list(email)).map(({ kind }) => kind).sort()).toEqual(['device', 'token'])
      await revokeUser(data, email)
      expect(await devices.list()).toEqual([])
      expect(await sessions.list(email)).toEqual([])
    })
  },
  SLOW_MS,
)

test(
  '[REVOKE.10] refuses to revoke what does not exist, and changes nothing',
  async () => {
    await withData(async (data) => {
      const { sessions } = data.operations
      await expect(revokeUser(data, 'nobody@example.com')).rejects.toMatchObject({ code: 'user_unknown' })
      await expect(sessions.list('nobody@example.com')).rejects.toMatchObject({ code: 'user_unknown' })
      await expect(sessions.find('x')).rejects.toMatchObject({ code: 'session_unknown' })
    })
    const { code, stdout } = await command('revoke', 'device', 'x')
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, 'device_unknown'])
  },
  SLOW_MS,
)

test('[REVOKE.8] logs every act with what it ended', async () => {
  const acts = [
    'user_suspended',
    'user_logged_out',
    'user_deleted',
    'session_ended',
    'device_revoked',
    'login_revoked',
  ]
  for (const act of acts)
    await bridge.program.printed((text) => (text.includes(`"event":"${act}"`) ? true : undefined))
  // The agents above were open.
  for (const kind of ['user', 'session'])
    await bridge.program.printed((text) =>
      text.split('\n').find((line) => line.includes('"event":"login_revoked"') && ended(line, kind)),
    )
})

function ended(line: string, kind: string): boolean {
  return line.includes(`"kind":"${kind}"`) && /"ended":[1-9]/.test(line)
}
