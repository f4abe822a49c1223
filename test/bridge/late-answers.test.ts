import { MAX_ABANDONED_CALLS } from '@bridgekeeper/bridge/testing'
import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const HOUR_MS = 3_600_000
const RESULT = { content: [] }
const UNLIMITED = { user: { maxCalls: 10_000, windowMs: 60_000, blockMs: 1 } }

async function setUp(v2 = true, system = new FakeSystem()) {
  const log = new Recorded()
  const at = await startBridge({ system, securityLog: log.securityLog, rateLimits: UNLIMITED })
  const agent = await verifiedPeer(at, await at.token('ann', HOUR_MS), { v2 })
  const logged = () =>
    log.events.flatMap((event) => (event.event === 'ws_unexpected_result' ? [event.requestId] : []))
  return { at, agent, system, logged }
}

/** Answers the call and waits until the bridge has handled the answer. */
async function answer(agent: Peer, ...ids: unknown[]): Promise<void> {
  for (const id of ids) agent.send({ type: 'tool_result', id, success: true, result: RESULT })
  agent.send({ type: 'ping' })
  await agent.next('pong')
}

test('[CALL.10] logs no late answer to a call that its caller cancelled, and logs the second one', async () => {
  const { at, agent, logged } = await setUp()
  const leaving = new AbortController()
  const call = at.bridge.callTool('user_ann', 's', 't', {}, { signal: leaving.signal })
  const { id } = await agent.next('tool_execute')
  leaving.abort()
  await expect(call).rejects.toBe(leaving.signal.reason)
  await answer(agent, id)
  expect(logged()).toEqual([])
  await answer(agent, id)
  expect(logged()).toEqual([id])
})

test('[CALL.10] logs no late answer after an HTTP caller disconnected', async () => {
  const { at, agent, logged } = await setUp()
  const leaving = new AbortController()
  const { accessToken } = await at.token('ann')
  const call = post(at, '/mcp/s', toolCall('t'), bearer(accessToken), leaving.signal)
  const { id } = await agent.next('tool_execute')
  leaving.abort()
  await expect(call).rejects.toThrow()
  await agent.next('tool_cancel')
  await answer(agent, id)
  expect(logged()).toEqual([])
})

for (const [name, v2] of [
  ['v1', false],
  ['v2', true],
] as const) {
  test(`[CALL.10] logs no late answer of a ${name} agent to a call that timed out`, async () => {
    const { at, agent, system, logged } = await setUp(v2)
    const call = at.bridge.callTool('user_ann', 's', 't')
    const { id } = await agent.next('tool_execute')
    system.advance(60_000)
    await expect(call).rejects.toMatchObject({ code: 'call_timeout' })
    await answer(agent, id)
    expect(logged()).toEqual([])
  })
}

test('[CALL.10] logs an answer to a call that never existed, and a second answer to an answered call', async () => {
  const { at, agent, logged } = await setUp()
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await agent.next('tool_execute')
  await answer(agent, id)
  await call
  expect(logged()).toEqual([])
  await answer(agent, 'never', id)
  expect(logged()).toEqual(['never', id])
})

test('[CALL.10] counts an unreadable late answer as the one that was expected', async () => {
  const { at, agent, logged } = await setUp()
  const leaving = new AbortController()
  const call = at.bridge.callTool('user_ann', 's', 't', {}, { signal: leaving.signal })
  const { id } = await agent.next('tool_execute')
  leaving.abort()
  await expect(call).rejects.toBe(leaving.signal.reason)
  agent.send({ type: 'tool_result', id, success: 'perhaps' })
  await agent.next('error')
  await answer(agent, id)
  expect(logged()).toEqual([id])
})

test('[CALL.10] remembers the newest 512 abandoned calls of a connection', async () => {
  const { at, agent, logged } = await setUp()
  const ids: unknown[] = []
  for (let count = 0; count <= MAX_ABANDONED_CALLS; count++) {
    const leaving = new AbortController()
    const call = at.bridge.callTool('user_ann', 's', 't', {}, { signal: leaving.signal })
    ids.push((await agent.next('tool_execute')).id)
    leaving.abort()
    await call.catch(() => {})
  }
  const [oldest, ...others] = ids
  await answer(agent, ...others)
  expect(logged()).toEqual([])
  await answer(agent, oldest)
  await vi.waitFor(() => expect(logged()).toEqual([oldest]))
})
