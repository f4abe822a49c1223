import { join } from 'node:path'
import { SlidingWindow } from '@bridgekeeper/bridge/testing'
import { openSqliteStores } from '@bridgekeeper/standalone/testing'
import { expect, onTestFinished, test } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, codeIn, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'
import { scratch } from '../support/scratch.ts'

const HOUR = 3_600_000

/** Calls of the app. Each ends at once, since no agent is connected. */
async function appCalls(at: TestBridge, count: number, name = 'ann'): Promise<string[]> {
  const codes: string[] = []
  for (let index = 0; index < count; index++)
    codes.push(
      await at.bridge.callTool(`user_${name}`, 's', 't').then(
        () => 'ok',
        (error: { code: string }) => error.code,
      ),
    )
  return codes
}

/** Calls from a socket. @returns its answer */
async function socketCall(peer: Peer, id: string, type: 'error' | 'tool_result') {
  peer.send({ type: 'tool_execute', id, serverName: 's', toolName: 't', args: {} })
  return await peer.next(type)
}

for (const [path, headers] of [
  ['the usual content type', {}],
  ['another content type', OTHER_TYPE],
] as const) {
  test(`[RATE.3] W21: refuses the 101st call within a minute with 429 and Retry-After, sent with ${path}`, async () => {
    const log = new Recorded()
    const at = await startBridge({ system: new FakeSystem(), securityLog: log.securityLog })
    const { accessToken } = await at.token('ann')
    const call = () => post(at, '/mcp/s', toolCall('t', {}, 7), { ...bearer(accessToken), ...headers })
    for (let index = 0; index < 100; index++)
      expect(codeIn((await call()).json), String(index)).toBe('agent_offline')
    const refused = await call()
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('900')
    expect(refused.json).toMatchObject({
      id: 7,
      error: { data: { code: 'rate_limit_exceeded', retryAfter: 900 } },
    })
    expect(log.named('ws_rate_limit_exceeded')).toMatchObject([
      { userId: 'user_ann', retryAfter: 900, limit: 'user', ip: '127.0.0.1' },
    ])
  })
}

test('[RATE.1] W21: sockets, `/mcp` and the app share one window, and a socket gets rate_limit_exceeded with retryAfter', async () => {
  const at = await startBridge({ system: new FakeSystem() })
  const issued = await at.token('ann')
  const v1 = await verifiedPeer(at, await at.token('ann'))
  const v2 = await verifiedPeer(at, await at.token('ann'), { v2: true })
  v2.send({ type: 'catalog', servers: [] })
  v2.send({ type: 'ping' })
  await v2.next('pong')
  const waiting: Promise<unknown>[] = []
  for (let index = 0; index < 40; index++)
    waiting.push(at.bridge.callTool('user_ann', 's', 't').catch(() => {}))
  for (let index = 0; index < 40; index++) {
    const { id } = await v1.next('tool_execute')
    v1.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  }
  await Promise.all(waiting)
  v1.socket.close()
  await v1.closed
  const other = await verifiedPeer(at, await at.token('ann'))
  for (let index = 0; index < 30; index++) {
    const call = socketCall(v2, `v2-${index}`, 'tool_result')
    const { id } = await other.next('tool_execute')
    other.send({ type: 'tool_result', id, success: true, result: { content: [] } })
    expect(await call).toMatchObject({ success: true })
  }
  other.socket.close()
  await other.closed
  for (let index = 0; index < 30; index++) await post(at, '/mcp/s', toolCall('t'), bearer(issued.accessToken))
  const late = await verifiedPeer(at, await at.token('ann'))
  expect(await socketCall(late, 'x', 'error')).toMatchObject({
    error: 'rate_limit_exceeded',
    retryAfter: 900,
  })
  expect(await socketCall(v2, 'y', 'tool_result')).toMatchObject({
    code: 'rate_limit_exceeded',
    retryAfter: 900,
  })
  expect(await appCalls(at, 1)).toEqual(['rate_limit_exceeded'])
  expect(await appCalls(at, 1, 'bob')).toEqual(['agent_offline'])
})

test('[RATE.1] W21: allows 100 calls in any 60 seconds, also across the edge of a window', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  await appCalls(at, 50)
  system.advance(59_999)
  expect(await appCalls(at, 50)).not.toContain('rate_limit_exceeded')
  system.advance(1)
  expect(await appCalls(at, 50)).not.toContain('rate_limit_exceeded')
  expect(await appCalls(at, 1)).toEqual(['rate_limit_exceeded'])
})

test('[RATE.2] W22: keeps a block for 900 seconds, despite closed sockets and a fresh login', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const peers = [
    await verifiedPeer(at, await at.token('ann', HOUR)),
    await verifiedPeer(at, await at.token('ann', HOUR)),
  ]
  for (const peer of peers) {
    peer.socket.close()
    await peer.closed
  }
  await appCalls(at, 100)
  expect(await appCalls(at, 1)).toEqual(['rate_limit_exceeded'])
  const again = await verifiedPeer(at, await at.token('ann', HOUR))
  expect(await socketCall(again, 'x', 'error')).toMatchObject({ error: 'rate_limit_exceeded' })
  again.socket.close()
  await again.closed
  system.advance(899_000)
  expect(await appCalls(at, 1)).toEqual(['rate_limit_exceeded'])
  system.advance(1_001)
  expect(await appCalls(at, 1)).toEqual(['agent_offline'])
})

test('[RATE.2] W22 W23: keeps the block and the calls of the last minute over a restart', async () => {
  const system = new FakeSystem()
  const path = join(scratch(), 'state.db')
  const node = async () => {
    const { close, blocks, callTimes } = await openSqliteStores(path, system)
    onTestFinished(() => close())
    const stores = { blocks, callTimes }
    const at = await startBridge({ system, stores })
    await at.bridge.ready()
    return at
  }
  const first = await node()
  expect(await appCalls(first, 101)).toContain('rate_limit_exceeded')
  expect(await appCalls(first, 99, 'bob')).not.toContain('rate_limit_exceeded')
  await first.bridge.close(0)
  const second = await node()
  expect(await appCalls(second, 1)).toEqual(['rate_limit_exceeded'])
  expect(await appCalls(second, 2, 'bob')).toEqual(['agent_offline', 'rate_limit_exceeded'])
})

test('[RATE.4] W21: counts neither refused requests nor tool lists', async () => {
  const at = await startBridge({ system: new FakeSystem() })
  const { accessToken } = await at.token('ann')
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  for (let index = 0; index < 60; index++) await post(at, '/mcp', list, bearer(accessToken))
  for (let index = 0; index < 60; index++) await post(at, '/mcp', toolCall('s__t'), { ...OTHER_TYPE })
  expect(await appCalls(at, 100)).not.toContain('rate_limit_exceeded')
})

test('[RATE.7] W21: applies limits per tool and per token beside the limit per user', async () => {
  const tight = { maxCalls: 2, windowMs: 60_000, blockMs: 60_000 }
  const user = { maxCalls: 100, windowMs: 60_000, blockMs: 900_000 }
  const at = await startBridge({
    system: new FakeSystem(),
    rateLimits: { user, token: { ...tight, maxCalls: 4 }, tools: { 's/dear': tight } },
  })
  const [one, other] = [await at.token('ann'), await at.token('ann')]
  const call = async (tool: string, { accessToken } = one) =>
    (await post(at, '/mcp/s', toolCall(tool), bearer(accessToken))).status
  expect([await call('dear'), await call('dear'), await call('dear')]).toEqual([200, 200, 429])
  expect([await call('cheap'), await call('cheap'), await call('cheap')]).toEqual([200, 200, 429])
  expect(await call('cheap', other)).toBe(200)
})

test('[RATE.5] W22: lifts a block in the running node when an operator removes it from the store, with a fresh window', async () => {
  const system = new FakeSystem()
  const { close, blocks } = await openSqliteStores(join(scratch(), 'state.db'), system)
  onTestFinished(() => close())
  const at = await startBridge({ system, stores: { blocks } })
  await at.bridge.ready()
  expect(await appCalls(at, 101)).toContain('rate_limit_exceeded')
  expect(await blocks.remove({ kind: 'calls', key: 'user_ann' })).toBe(true)
  system.advance(2_000)
  await expect.poll(() => appCalls(at, 1)).toEqual(['agent_offline'])
  expect(await appCalls(at, 99)).not.toContain('rate_limit_exceeded')
})

test('[RATE.6] W21: uses bounded memory per key, and forgets idle keys', () => {
  const window = new SlidingWindow({ max: 100, windowMs: 60_000, maxKeys: 2_000 })
  for (let at = 0; at < 10_000; at++) window.take('busy', at / 100)
  expect(window.size).toBe(1)
  for (let key = 0; key < 10_000; key++) window.take(`key ${key}`, 200)
  expect(window.size).toBe(2_000)
  for (let at = 0; at < 2_000; at++) window.take('busy', 120_000)
  expect(window.size).toBe(1)
})
