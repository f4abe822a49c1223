import { MAX_PIPELINED } from '@bridgekeeper/bridge/testing'
import { expect, test, vi } from 'vitest'
import { HOUR } from '../support/attacker.ts'
import { deafClient, request, withoutCallLimits } from '../support/greedy.ts'
import { toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'
import type { RawClient } from '../support/raw.ts'

const MIB = 1_048_576
const DEAF = 15

test('[LOAD.2] closes a caller whose unread results would reach 64 MiB, and delivers to the others', async () => {
  const { at, log, ann } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR))
  const text = 'x'.repeat(MIB - 1_024)
  // The system buffers a few MiB for each socket, so that several answers go to one.
  const call = request(JSON.stringify(toolCall('t')), ann, '/mcp/s').repeat(1 + MAX_PIPELINED)
  const deaf: RawClient[] = []
  for (let index = 0; index < DEAF; index++) {
    const client = await deafClient(at)
    client.write(call)
    deaf.push(client)
  }
  const ids: unknown[] = []
  while (ids.length < deaf.length * (1 + MAX_PIPELINED)) ids.push((await agent.next('tool_execute')).id)
  for (const id of ids)
    agent.send({ type: 'tool_result', id, success: true, result: { content: [{ type: 'text', text }] } })
  await vi.waitFor(() => expect(log.named('mcp_slow_caller').length).toBeGreaterThan(0), { timeout: 20_000 })
  expect(log.named('mcp_slow_caller')[0]).toMatchObject({ userId: 'user_ann', ip: '127.0.0.1' })
  agent.send({ type: 'ping' })
  await agent.next('pong')
  const received = deaf.map(({ socket }) => {
    const count = { bytes: 0 }
    socket.removeAllListeners('data').on('data', (chunk) => (count.bytes += chunk.length))
    return count
  })
  for (const { socket } of deaf) socket.resume()
  const whole = () => received.filter(({ bytes }) => bytes > 9 * text.length).length
  await vi.waitFor(() => expect(whole() + deaf.filter(({ socket }) => socket.closed).length).toBe(DEAF), {
    timeout: 20_000,
  })
  expect(whole()).toBeGreaterThan(3)
}, 60_000)
