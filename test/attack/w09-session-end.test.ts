import { createTokens, memoryUsers, type User } from '@bridgekeeper/server'
import { expect, test } from 'vitest'
import { SECRET, startBridge, user } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'

test('[STATE.1] W09: a connection ends with its token, in the middle of a call too, and the late answer counts for nothing', async () => {
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

test('[STATE.1] W09: a token that expires while its challenge is open ends that connection', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const peer = dial(at, { token: (await at.token('ann', 5_000)).accessToken })
  await peer.next('challenge')
  system.advance(5_001)
  expect(await peer.closed).toEqual({ code: 4401, reason: 'token_expired' })
})

test('[AUTH.7] W09: after a revocation no door takes the token any more, once its five seconds of memory are over', async () => {
  const system = new FakeSystem()
  const users = new Map<string, User>([['user_ann', user('ann')]])
  const store = { ...memoryUsers(), findById: (id: string) => Promise.resolve(users.get(id)) }
  const tokens = createTokens(SECRET, store, system)
  const at = await startBridge({ system, authenticator: tokens })
  const { accessToken } = await tokens.issue(user('ann'), 600_000)
  const mcp = () => post(at, '/mcp', toolCall('s__t'), bearer(accessToken))
  expect((await mcp()).status).toBe(200)
  users.set('user_ann', { ...user('ann'), tokenVersion: 1 })
  expect(await tryUpgrade(at, { token: accessToken })).toMatchObject({ status: 401, code: 'token_invalid' })
  system.advance(5_001)
  expect((await mcp()).status).toBe(401)
})
