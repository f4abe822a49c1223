import { callbackLog } from '@bridgekeeper/bridge'
import { limits } from '@bridgekeeper/protocol'
import { expect, test, vi } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { verifiedPeer } from '../support/peer.ts'

async function ready(options: Parameters<typeof startBridge>[0] = {}) {
  const bridge = await startBridge(options)
  return { bridge, peer: await verifiedPeer(bridge, await bridge.token('ann')) }
}

async function expectAnsweredBy(code: string, frame: string | Buffer): Promise<void> {
  const { peer } = await ready()
  peer.socket.send(frame)
  expect(await peer.next('error')).toMatchObject({ error: code, message: expect.any(String) })
  peer.send({ type: 'ping' })
  await peer.next('pong')
}

test('[MSG.1] answers text that is not JSON with a code, and keeps the connection', () =>
  expectAnsweredBy('message_invalid', 'hello'))

test('[MSG.2] answers a binary frame with a code, and keeps the connection', () =>
  expectAnsweredBy('message_not_text', Buffer.from('{"type":"ping"}')))

test('[MSG.3] answers an unknown type with a code, and keeps the connection', () =>
  expectAnsweredBy('message_type_unknown', '{"type":"launch"}'))

test('[MSG.4] closes a peer that keeps sending malformed messages', async () => {
  const { peer } = await ready()
  for (let i = 0; i <= limits.strikes; i++) peer.send('nonsense')
  expect(await peer.closed).toEqual({ code: 4400, reason: 'message_invalid' })
})

test('[SIZE.1] accepts a message of 1,048,576 bytes, and refuses one byte more on an open connection', async () => {
  const { bridge, peer } = await ready()
  const sized = (bytes: number) => {
    const empty = JSON.stringify({ type: 'tool_result', id: 'none', success: true, result: '' })
    return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`)
  }
  peer.send(sized(limits.messageBytes))
  peer.send({ type: 'ping' })
  await peer.next('pong')
  peer.send(sized(limits.messageBytes + 1))
  expect(await peer.next('error')).toMatchObject({ error: 'message_too_large', maxSize: 1_048_576 })
  const call = bridge.bridge.callTool('user_ann', 's', 't')
  const { id } = await peer.next('tool_execute')
  peer.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  await expect(call).resolves.toEqual({ content: [] })
})

test('[SIZE.2] fails a call with result_too_large at once', async () => {
  const { bridge, peer } = await ready()
  const call = bridge.bridge.callTool('user_ann', 's', 't')
  const { id } = await peer.next('tool_execute')
  peer.send({
    type: 'tool_result',
    id,
    success: true,
    result: { content: [], pad: 'x'.repeat(limits.messageBytes) },
  })
  await expect(call).rejects.toMatchObject({ code: 'result_too_large' })
})

test('[SIZE.4] closes with 1009 on a frame over 4 MiB before buffering it', async () => {
  const { peer } = await ready()
  const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x40, 0, 0x01, 0, 0, 0, 0])
  ;(peer.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(header)
  expect((await peer.closed).code).toBe(1009)
})

test('[SIZE.4] closes on a message in more than 1,024 fragments', async () => {
  const { peer } = await ready()
  for (let i = 0; i < 1_100; i++) peer.socket.send('x', { fin: false })
  expect((await peer.closed).code).toBe(1008)
})

test('[LIVE.2] [LIVE.3] sends no calls to a peer that does not read, and closes it in time', async () => {
  const system = new FakeSystem()
  const { bridge, peer } = await ready({ system })
  peer.socket.pause()
  const text = 'x'.repeat(1_000_000)
  const calls = Array.from({ length: 40 }, () =>
    bridge.bridge.callTool('user_ann', 's', 't', { text }).catch((error: { code: string }) => error.code),
  )
  expect(await Promise.race(calls.slice(-10))).toBe('agent_slow')
  system.advance(29_000)
  expect(await Promise.race([calls[0], 'waits'])).toBe('waits')
  system.advance(2_000)
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['outcome_unknown', 'agent_slow']))
})

test('[LIVE.2] sends calls again to a peer that reads again', async () => {
  const system = new FakeSystem()
  const { bridge, peer } = await ready({ system })
  peer.socket.pause()
  const text = 'x'.repeat(1_000_000)
  const call = () =>
    bridge.bridge.callTool('user_ann', 's', 't', { text }).catch(({ code }) => code as string)
  const calls = Array.from({ length: 20 }, call)
  expect(await calls.at(-1)).toBe('agent_slow')
  peer.socket.resume()
  await peer.next('tool_execute')
  await vi.waitFor(async () => {
    system.advance(250)
    expect(await Promise.race([call(), 'waits'])).toBe('waits')
  })
})

/** A megabyte each: more than the kernel buffers for one connection, and the 16 MiB beyond that. */
const CALLS = 60

test('[SIZE.6] closes a peer at once when 16 MiB of answers to its own calls wait', async () => {
  const cutOff = Promise.withResolvers<number | undefined>()
  const securityLog = callbackLog((event) => {
    if (event.event === 'ws_connection_closed') cutOff.resolve(event.code)
  })
  const bridge = await startBridge({ securityLog })
  const agent = await agentWith(bridge, 'ann', 's', 't')
  const asking = await verifiedPeer(bridge, await bridge.token('ann'))
  // Reads nothing from here on: the answers pile up, once the kernel's own buffers are full.
  asking.socket.pause()
  for (let id = 0; id < CALLS; id++)
    asking.send({ type: 'tool_execute', id: String(id), serverName: 's', toolName: 't', args: {} })
  const result = { content: [{ type: 'text', text: 'x'.repeat(1_000_000) }] }
  for (let answered = 0; answered < CALLS; answered++) await answerNext(agent, result)
  expect(await cutOff.promise).toBe(1006)
})

test('[LIVE.2] [LIVE.3] answers pings, but not of a peer that does not read, and closes it', async () => {
  const system = new FakeSystem()
  const slow: number[] = []
  const securityLog = callbackLog((event) => {
    if (event.event === 'ws_slow_reader') slow.push(event.size ?? 0)
  })
  const bridge = await startBridge({ system, securityLog })
  const agent = await agentWith(bridge, 'ann', 's', 't')
  const asking = await verifiedPeer(bridge, await bridge.token('ann'), { v2: true })
  const ponged = new Promise<Buffer>((resolve) => asking.socket.once('pong', resolve))
  asking.socket.ping('hello')
  expect(String(await ponged)).toBe('hello')

  asking.socket.pause()
  const execute = (id: number) =>
    asking.send({ type: 'tool_execute', id: String(id), serverName: 's', toolName: 't', args: {} })
  const result = { content: [{ type: 'text', text: 'x'.repeat(1_000_000) }] }
  for (let id = 0; slow.length === 0 && id < CALLS; id++) {
    execute(id)
    await answerNext(agent, result)
    agent.send({ type: 'ping' })
    await agent.next('pong')
  }
  for (let count = 0; count < 500; count++) asking.socket.ping(Buffer.alloc(125))
  // The bridge has read the pings once it passes on the call behind them.
  execute(CALLS)
  await agent.next('tool_execute')
  system.advance(31_000)
  expect(slow).toHaveLength(2)
  // The bridge adds only its own ping every 30 seconds.
  expect(slow[1]).toBeLessThan((slow[0] as number) + 1_024)
}, 30_000)
