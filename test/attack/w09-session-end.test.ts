import { createTokens, memoryUsers, type User, type UserStore } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { SECRET, startBridge, user } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'

test('[STATE.1] W09: closes a connection when its token expires during a call, and ignores the late answer', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const agent = await verifiedPeer(at, await at.token('ann', 20_000))
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await agent.next('tool_execute')
  system.advance(20_001)
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  await expect(call).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(await agent.closed).toEqual({ code: 4401, reason: 'token_expired' })
})

test('[STATE.1] W09: closes a connection whose token expires while its challenge is open', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const peer = dial(at, { token: (await at.token('ann', 5_000)).accessToken })
  await peer.next('challenge')
  system.advance(5_001)
  expect(await peer.closed).toEqual({ code: 4401, reason: 'token_expired' })
})

test('[AUTH.7] W09: refuses a revoked token at both doors once its five seconds in the cache are over', async () => {
  const system = new FakeSystem()
  const users = new Map<string, User>([['user_ann', user('ann')]])
  const store = { ...memoryUsers(), findById: (id: string) => Promise.resolve(users.get(id)) }
  const tokens = createTokens(SECRET, store, system)
  const at = await startBridge({ system, authenticator: tokens })
  const { accessToken } = await tokens.issue(user('ann'), 600_000)
  const mcp = () => post(at, '/mcp', toolCall('s__t'), bearer(accessToken))
  expect((await mcp()).status).toBe(200)
  users.set('user_ann', { ...user('ann'), tokenVersion: 1 })
  expect(await tryUpgrade(at, { token: accessToken })).toMatchObject({ status: 401, code: 'login_revoked' })
  system.advance(5_001)
  expect((await mcp()).status).toBe(401)
})

test.each<[string, (users: UserStore) => Promise<unknown>, string]>([
  ['logged out', (users) => users.raiseTokenVersion('user_ann'), 'login_revoked'],
  ['suspended', (users) => users.setState('user_ann', 'suspended'), 'user_suspended'],
])(
  '[REVOKE.1] [REVOKE.2] W09: a user %s during a call gets no result, loses every connection and is refused afterwards',
  async (_, change, code) => {
    const system = new FakeSystem()
    const users = memoryUsers([user('ann')])
    const tokens = createTokens(SECRET, users, system)
    const at = await startBridge({ system, authenticator: tokens })
    const login = await tokens.issue(user('ann'), 600_000)
    const agent = await verifiedPeer(at, login)
    const answered = post(at, '/mcp', toolCall('s__t'), bearer(login.accessToken))
    const { id } = await agent.next('tool_execute')
    await change(users)
    await at.bridge.revoke({ kind: 'user', id: 'user_ann' })
    agent.send({
      type: 'tool_result',
      id,
      success: true,
      result: { content: [{ type: 'text', text: 'secret' }] },
    })
    const { status, text } = await answered
    expect(status).toBe(401)
    expect(text).not.toContain('secret')
    expect(await agent.closed).toEqual({ code: 4510, reason: 'login_revoked' })
    expect((await tryUpgrade(at, { token: login.accessToken })).code).toBe(code)
    expect(codeIn((await post(at, '/mcp', toolCall('s__t'), bearer(login.accessToken))).json)).toBe(code)
  },
)
