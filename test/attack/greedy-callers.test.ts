import {
  MAX_BATCH,
  MAX_HELD_BYTES,
  MAX_OPEN_REQUESTS,
  MAX_PIPELINED,
  UNREAD_MS,
} from '@bridgekeeper/bridge/testing'
import { expect, test, vi } from 'vitest'
import { EMPTY, HOUR, LIST } from '../support/attacker.ts'
import { agentWithCatalog, deafClient, request, withoutCallLimits } from '../support/greedy.ts'
import { OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'
import { type RawClient, rawClient } from '../support/raw.ts'

const MIB = 1_048_576

test('[LOAD.1] refuses the 257th open request of a user with too_many_requests and Retry-After, and serves another user', async () => {
  const { at, log, ann, bob } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR))
  const call = () => post(at, '/mcp/s', toolCall('t'), ann)
  const calls = Array.from({ length: MAX_OPEN_REQUESTS }, call)
  const ids: unknown[] = []
  for (const _ of calls) ids.push((await agent.next('tool_execute')).id)
  const refused = await call()
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  expect(refused.json.error.data.code).toBe('too_many_requests')
  expect(log.named('mcp_request_refused')).toMatchObject([
    { userId: 'user_ann', ip: '127.0.0.1', reason: 'too_many_requests' },
  ])
  expect((await post(at, '/mcp', LIST, bob)).json.result.tools).toHaveLength(1)
  for (const id of ids) agent.send({ type: 'tool_result', id, success: true, result: EMPTY })
  for (const answer of await Promise.all(calls)) expect(answer.status).toBe(200)
  const next = call()
  const { id } = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id, success: true, result: EMPTY })
  expect((await next).status).toBe(200)
})

test('[LOAD.2] buffers at most 32 MiB of unfinished request bodies of one user, and accepts more once they end', async () => {
  const { at, ann, bob } = await withoutCallLimits()
  const count = MAX_HELD_BYTES / MIB
  const senders: RawClient[] = []
  for (let index = 0; index < count; index++) {
    const client = await rawClient(at.port)
    client.write(request('', { ...ann, 'content-length': String(MIB) }))
    client.write('{')
    senders.push(client)
  }
  const ping = async (headers: Record<string, string>) => (await post(at, '/mcp', LIST, headers)).status
  await vi.waitFor(async () => expect(await ping(ann)).toBe(429))
  expect(await ping(bob)).toBe(200)
  for (const { socket } of senders) socket.destroy()
  await vi.waitFor(async () => expect(await ping(ann)).toBe(200))
})

test('[LOAD.2] holds at most 32 MiB of unread batch answers of one user, and serves another user', async () => {
  const { at, log, ann, bob } = await withoutCallLimits()
  await agentWithCatalog(at, MIB / 2)
  const batch = JSON.stringify(Array.from({ length: MAX_BATCH }, (_, id) => ({ ...LIST, id })))
  const deaf: RawClient[] = []
  for (let index = 0; index < 10; index++) deaf.push(await deafClient(at))
  for (const client of deaf) client.write(request(batch, ann))
  await vi.waitFor(() => expect(log.named('mcp_request_refused')).toHaveLength(20), { timeout: 20_000 })
  expect(log.named('mcp_request_refused')[0]).toMatchObject({
    reason: 'too_many_requests',
    userId: 'user_ann',
  })
  expect((await post(at, '/mcp', LIST, bob)).json.result.tools).toHaveLength(1)
  for (const { socket } of deaf) socket.destroy()
  const again = JSON.stringify([LIST, { ...LIST, id: 2 }])
  await vi.waitFor(async () => expect((await post(at, '/mcp', again, ann)).text).not.toContain('too_many'))
})

test.each([
  ['a result', {}],
  ['a result with another content type', OTHER_TYPE],
])(
  '[LIVE.4] closes a caller that reads nothing of %s for 60 seconds, and not before',
  async (_what, headers) => {
    const { at, system, log, ann } = await withoutCallLimits()
    const agent = await verifiedPeer(at, await at.token('ann', HOUR))
    const text = 'x'.repeat(MIB - 1_024)
    const deaf: RawClient[] = []
    for (let index = 0; index < 12; index++) {
      const client = await deafClient(at)
      // An answer fits into the system's buffers, so send several over one socket.
      const call = request(JSON.stringify(toolCall('t')), { ...ann, ...headers }, '/mcp/s')
      client.write(call.repeat(MAX_PIPELINED))
      deaf.push(client)
    }
    for (let index = 0; index < deaf.length * MAX_PIPELINED; index++) {
      const { id } = await agent.next('tool_execute')
      agent.send({ type: 'tool_result', id, success: true, result: { content: [{ type: 'text', text }] } })
      if (index >= 40) break
    }
    agent.send({ type: 'ping' })
    await agent.next('pong')
    system.advance(UNREAD_MS - 1_000)
    expect(log.named('mcp_slow_caller')).toEqual([])
    await vi.waitFor(
      () => {
        system.advance(1_000)
        expect(log.named('mcp_slow_caller').length).toBeGreaterThan(0)
      },
      { timeout: 10_000 },
    )
  },
)

test('[HTTP.6] closes a socket that pipelines nine requests behind one, and ends all of them', async () => {
  const { at, ann } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR))
  const call = request(JSON.stringify(toolCall('t')), ann, '/mcp/s')
  const patient = await rawClient(at.port)
  patient.write(call.repeat(1 + MAX_PIPELINED))
  const ids: unknown[] = []
  for (let count = 0; count < 1 + MAX_PIPELINED; count++) ids.push((await agent.next('tool_execute')).id)
  for (const id of ids) agent.send({ type: 'tool_result', id, success: true, result: EMPTY })
  await patient.until(() => patient.received.toString().split('HTTP/1.1 200').length === 2 + MAX_PIPELINED)
  const greedy = await rawClient(at.port)
  greedy.write(call.repeat(2 + MAX_PIPELINED))
  await greedy.ended
  agent.send({ type: 'ping' })
  await agent.next('pong')
  // Every request of it has ended: as many as ever can be open at once.
  const calls = Array.from({ length: MAX_OPEN_REQUESTS }, () => post(at, '/mcp/s', toolCall('other'), ann))
  const others: unknown[] = []
  while (others.length < calls.length) {
    const { id, toolName } = await agent.next('tool_execute')
    if (toolName === 'other') others.push(id)
  }
  for (const id of others) agent.send({ type: 'tool_result', id, success: true, result: EMPTY })
  for (const { status } of await Promise.all(calls)) expect(status).toBe(200)
})

test('[CALL.4] cancels every pipelined call of a socket that closes', async () => {
  const { at, ann } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  const client = await rawClient(at.port)
  client.write(request(JSON.stringify(toolCall('t')), ann, '/mcp/s').repeat(1 + MAX_PIPELINED))
  const running = new Set<unknown>()
  for (let count = 0; count < 1 + MAX_PIPELINED; count++) running.add((await agent.next('tool_execute')).id)
  client.socket.destroy()
  const cancelled = new Set<unknown>()
  for (let count = 0; count < 1 + MAX_PIPELINED; count++) cancelled.add((await agent.next('tool_cancel')).id)
  expect(cancelled).toEqual(running)
})

test('[LOAD.1] frees every open request of a socket that closes, including answers still queued', async () => {
  const { at, ann } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR))
  const client = await rawClient(at.port)
  const list = request(JSON.stringify(LIST), ann)
  client.write(request(JSON.stringify(toolCall('t')), ann, '/mcp/s') + list.repeat(MAX_PIPELINED))
  await agent.next('tool_execute')
  // This answer comes after the waiting ones, so those are handled by then.
  await post(at, '/mcp', LIST, ann)
  client.socket.destroy()
  await client.ended
  const calls = Array.from({ length: MAX_OPEN_REQUESTS }, () => post(at, '/mcp/s', toolCall('t'), ann))
  const ids: unknown[] = []
  for (const _ of calls) ids.push((await agent.next('tool_execute')).id)
  for (const id of ids) agent.send({ type: 'tool_result', id, success: true, result: EMPTY })
  for (const { status } of await Promise.all(calls)) expect(status).toBe(200)
})

test('[HTTP.6] closes a socket that pipelines requests to paths without authentication', async () => {
  const { at, ann } = await withoutCallLimits()
  await verifiedPeer(at, await at.token('ann', HOUR))
  for (const path of ['/healthz', '/nowhere', '/api/mcp-ws']) {
    const client = await rawClient(at.port)
    client.write(request(JSON.stringify(toolCall('t')), ann, '/mcp/s'))
    client.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`.repeat(500))
    await client.ended
    expect(client.received.length).toBe(0)
  }
})
