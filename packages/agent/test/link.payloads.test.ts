import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { LocalOutcome } from '../src/local-tools.ts'
import { FakeBridge } from './support/bridge.ts'
import { runLink } from './support/linked.ts'
import { until } from './support/until.ts'

const MIB = 1_048_576

async function setUp(speaks: 'v1' | 'v2' = 'v2') {
  const bridge = await FakeBridge.start({ speaks })
  const linked = runLink(bridge.url)
  const peer = await bridge.peer(speaks === 'v1' ? 2 : 1)
  await linked.event('verified')
  return { bridge, peer, ...linked }
}

/** A JSON object of this size in which no two chunks are the same. */
function jsonOf(sizeBytes: number): Buffer {
  const numbers = Array.from({ length: sizeBytes / 16 }, (_, at) => String(at).padStart(15, '0'))
  const text = JSON.stringify({ x: numbers.join(' ') }).slice(0, sizeBytes - 2)
  return Buffer.from(`${text.padEnd(sizeBytes - 2, '0')}"}`)
}

const answersWith = (result: Buffer): LocalOutcome => ({ ok: true, result })

test('[BIG.7] sends a result over one message in chunks, and waits at the window for credit', async () => {
  const { peer, tools } = await setUp()
  const large = jsonOf(3 * MIB)
  tools.answer = ({ toolName }) => answersWith(toolName === 'large' ? large : Buffer.from('{"small":1}'))
  peer.execute('1', 'large')
  expect(await peer.result('1')).toEqual({ type: 'tool_result', id: '1', success: true, bytes: large.length })
  const first = await peer.payload('1', limits.windowBytes, false)
  expect(first.equals(large.subarray(0, limits.windowBytes))).toBe(true)
  peer.execute('2', 'small')
  expect(await peer.result('2')).toMatchObject({ result: { small: 1 } })
  expect(peer.chunkBytes('1')).toBe(limits.windowBytes)
  expect((await peer.payload('1', large.length)).equals(large)).toBe(true)
})

test('[BIG.7] answers a result over 64 MiB, and to a v1 bridge over one message, with result_too_large', async () => {
  const over = answersWith(Buffer.alloc(limits.payloadBytes + 1, '{'))
  const { peer, tools } = await setUp()
  tools.answer = () => over
  peer.execute('1', 'tool')
  expect(await peer.result('1')).toMatchObject({ success: false, code: 'result_too_large' })
  const old = await setUp('v1')
  old.tools.answer = () => answersWith(jsonOf(MIB))
  old.peer.execute('1', 'tool')
  expect(await old.peer.result('1')).toMatchObject({
    success: false,
    error: expect.stringContaining('too large'),
  })
})

test('[BIG.7] holds at most 128 MiB of results that a bridge does not read', async () => {
  const { peer, tools } = await setUp()
  const large = Buffer.alloc(60 * MIB, '{')
  tools.answer = () => answersWith(large)
  for (const id of ['1', '2', '3']) peer.execute(id, 'tool')
  expect(await peer.result('3')).toMatchObject({ success: false, code: 'result_too_large' })
  peer.send({ type: 'tool_cancel', id: '1' })
  peer.execute('4', 'tool')
  expect(await peer.result('4')).toMatchObject({ success: true, bytes: large.length })
})

test('[BIG.7] sends nothing more of a result that was cancelled', async () => {
  const { peer, tools } = await setUp()
  tools.answer = () => answersWith(jsonOf(2 * MIB))
  peer.execute('1', 'tool')
  await peer.payload('1', limits.windowBytes, false)
  peer.send({ type: 'tool_cancel', id: '1' })
  peer.send({ type: 'credit', id: '1', bytes: limits.windowBytes })
  peer.execute('2', 'tool')
  await peer.payload('2', 2 * MIB)
  expect(peer.chunkBytes('1')).toBe(limits.windowBytes)
})

const announce = (id: string, bytes: number) =>
  ({ type: 'tool_execute', id, serverName: 'server', toolName: 'tool', bytes }) as const

test('[BIG.8] runs a call once all of its arguments are there, and grants credit for them', async () => {
  const { peer, tools } = await setUp()
  const args = jsonOf(10 * MIB)
  peer.send(announce('1', args.length))
  let at = 0
  let granted = 0
  while (at < args.length) {
    const credit = peer.all('credit').reduce((sum, { bytes }) => sum + Number(bytes), 0)
    granted = Math.max(granted, credit)
    const next = Math.min(args.length, granted + limits.windowBytes)
    peer.sendChunks('1', args.subarray(at, next))
    at = next
    if (at < args.length)
      await until(() => peer.all('credit').reduce((sum, { bytes }) => sum + Number(bytes), 0) > granted)
  }
  await peer.result('1')
  expect(tools.calls).toHaveLength(1)
  expect(tools.calls[0]?.rawArgs.equals(args)).toBe(true)
})

test('[BIG.8] refuses arguments for which there is no memory, and frees what was cancelled or cut', async () => {
  const { peer, bridge, system, event } = await setUp()
  for (const id of ['1', '2', '3']) peer.send(announce(id, 60 * MIB))
  expect(await peer.result('3')).toMatchObject({ success: false, code: 'too_many_calls' })
  peer.send({ type: 'tool_cancel', id: '1' })
  peer.send(announce('4', 60 * MIB))
  peer.send(announce('5', 60 * MIB))
  await peer.result('5')
  expect(peer.all('tool_result').map(({ id }) => id)).toEqual(['3', '5'])
  peer.socket.close(4_400, 'again')
  await event('disconnected')
  await system.advance(60_000)
  const next = await bridge.peer(2)
  await until(() => next.all('catalog').length > 0)
  for (const id of ['6', '7', '8']) next.send(announce(id, 60 * MIB))
  await next.result('8')
  expect(next.all('tool_result').map(({ id }) => id)).toEqual(['8'])
})

test('[BIG.8] opens an exchange once its message is there, and refuses one for which there is no memory', async () => {
  const { peer, exchanges } = await setUp()
  const message = jsonOf(limits.windowBytes)
  const open = {
    type: 'open',
    server: 's',
    kind: 'request',
    era: '2025',
    client: 'c',
    streams: true,
  } as const
  peer.send({ ...open, id: '1', bytes: message.length })
  expect(exchanges.frames).toEqual([])
  peer.sendChunks('1', message)
  await until(() => exchanges.frames.length > 0)
  const [frame] = exchanges.frames
  expect(frame?.type === 'open' && frame.message?.equals(message)).toBe(true)
  for (const id of ['2', '3', '4']) peer.send({ ...open, id, bytes: 60 * MIB })
  await until(() => exchanges.refused.length > 0)
  expect(exchanges.refused).toEqual(['4 too_many_calls'])
})

test('[BIG.8] [BIG.4] ignores chunks of unknown exchanges, and those beyond the announced size', async () => {
  const { peer, tools } = await setUp()
  peer.sendChunks('x', Buffer.from('{}'))
  peer.send(announce('1', 2))
  peer.sendChunks('1', Buffer.from('{}}'))
  peer.sendChunks('1', Buffer.from('{}'))
  await peer.result('1')
  expect(String(tools.calls[0]?.rawArgs)).toBe('{}')
})
