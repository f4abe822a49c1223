import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

test('[CALL.5] W26: refuses at once the calls above 64 that wait for one agent', async () => {
  const at = await startBridge()
  const agent = await verifiedPeer(at, await at.token('ann'))
  const codes: string[] = []
  const calls = Array.from({ length: 80 }, () =>
    at.bridge.callTool('user_ann', 's', 't').catch((error: { code: string }) => void codes.push(error.code)),
  )
  await Promise.race(calls)
  await new Promise((resolve) => setImmediate(resolve))
  expect(codes).toEqual(Array.from({ length: 16 }, () => 'too_many_calls'))
  agent.socket.terminate()
  await Promise.all(calls)
})

test('[CALL.3] W26: when the agent’s socket breaks, fails every waiting call with outcome_unknown and repeats none', async () => {
  const at = await startBridge()
  const agent = await verifiedPeer(at, await at.token('ann'))
  const calls = Array.from({ length: 64 }, () => at.bridge.callTool('user_ann', 's', 't'))
  await agent.next('tool_execute')
  agent.socket.terminate()
  for (const end of await Promise.allSettled(calls))
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'outcome_unknown' } })
  const next = await verifiedPeer(at, await at.token('ann'))
  next.send({ type: 'ping' })
  await next.next('pong')
  expect(next.waiting).toEqual([])
})

test('[CALL.4] W26: cancels the call at the agent when its caller disconnects', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const agent = await verifiedPeer(at, issued, { v2: true })
  const leaving = new AbortController()
  const call = post(at, '/mcp/s', toolCall('t'), bearer(issued.accessToken), leaving.signal)
  const { id } = await agent.next('tool_execute')
  leaving.abort()
  await expect(call).rejects.toThrow()
  expect(await agent.next('tool_cancel')).toMatchObject({ id })
})

test('[CALL.8] W26: refuses a second call under the id of a running one', async () => {
  const at = await startBridge()
  const agent = await verifiedPeer(at, await at.token('ann'))
  const caller = await verifiedPeer(at, await at.token('ann'), { v2: true })
  caller.send({ type: 'catalog', servers: [] })
  const call = { type: 'tool_execute', id: 'same', serverName: 's', toolName: 't', args: {} }
  caller.send(call)
  const { id } = await agent.next('tool_execute')
  caller.send(call)
  expect(await caller.next('tool_result')).toMatchObject({ id: 'same', code: 'call_id_conflict' })
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect(await caller.next('tool_result')).toMatchObject({ id: 'same', success: true })
  expect(agent.waiting).toEqual([])
})
