import { expect, test } from 'vitest'
import type { LocalOutcome } from '../src/local-tools.ts'
import { FakeBridge } from './support/bridge.ts'
import { runLink } from './support/linked.ts'
import { until } from './support/until.ts'

test('[LINK.32] refuses calls once the arguments of running ones hold 128 MiB', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  const { promise, resolve } = Promise.withResolvers<LocalOutcome>()
  tools.answer = () => promise
  const large = { x: 'x'.repeat(1_000_000) }
  for (let i = 1; i <= 140; i++) peer.execute(String(i), 'tool', large)
  expect(await peer.result('140')).toMatchObject({ code: 'too_many_calls' })
  expect(tools.calls).toHaveLength(134)
  resolve({ ok: true, result: Buffer.from('{}') })
  await until(() => peer.all('tool_result').length === 140)
  peer.execute('after', 'tool', large)
  expect(await peer.result('after')).toMatchObject({ success: true })
})

test('[LINK.25] disconnects from a bridge that lets 64 MiB of answers pile up', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  tools.answer = () => ({ ok: true, result: Buffer.from(JSON.stringify({ x: 'x'.repeat(1_000_000) })) })
  for (let i = 0; i < 100; i++) peer.execute(String(i), 'tool')
  peer.socket.pause()
  expect(await event('disconnected')).toMatchObject({
    reason: 'The bridge does not read the answers that it requested.',
  })
})

test('[LINK.25] disconnects from a bridge that pings and does not read the answers', async () => {
  const bridge = await FakeBridge.start()
  const { event, events } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.pause()
  const hasLeft = () => events.some(({ type }) => type === 'disconnected')
  let pings = 0
  await until(() => {
    if (hasLeft()) return true
    for (let i = 0; i < 2_000; i++) peer.socket.ping(Buffer.alloc(125))
    pings += 2_000
    return false
  }, 20_000)
  // The kernel's buffers hold some more than the 16,384 frames, but far from 64 MiB.
  expect(pings).toBeLessThan(250_000)
  expect(await event('disconnected')).toMatchObject({
    reason: 'The bridge does not read the answers that it requested.',
  })
})
