import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { verifiedPeer } from '../support/peer.ts'

async function ready() {
  const bridge = await startBridge()
  return { bridge, peer: await verifiedPeer(bridge, await bridge.token('ann')) }
}

async function expectAnsweredBy(code: string, frame: string | Buffer): Promise<void> {
  const { peer } = await ready()
  peer.socket.send(frame)
  expect(await peer.next('error')).toMatchObject({ error: code, message: expect.any(String) })
  peer.send({ type: 'ping' })
  await peer.next('pong')
}

test('[MSG.1] text that is no JSON is answered by its code, and the connection goes on', () =>
  expectAnsweredBy('message_invalid', 'hello'))

test('[MSG.2] a binary frame is answered by its code, and the connection goes on', () =>
  expectAnsweredBy('message_not_text', Buffer.from('{"type":"ping"}')))

test('[MSG.3] an unknown type is answered by its code, and the connection goes on', () =>
  expectAnsweredBy('message_type_unknown', '{"type":"launch"}'))

test('[MSG.4] a peer that keeps sending nonsense is closed', async () => {
  const { peer } = await ready()
  for (let i = 0; i <= limits.strikes; i++) peer.send('nonsense')
  expect(await peer.closed).toEqual({ code: 4400, reason: 'message_invalid' })
})

test('[SIZE.1] a message of 1,048,576 bytes passes; one byte more is refused and the connection stays', async () => {
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

test('[SIZE.2] the caller of a result over the limit hears result_too_large at once', async () => {
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

test('[SIZE.4] a frame over 4 MiB closes with 1009 before it is buffered', async () => {
  const { peer } = await ready()
  const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x40, 0, 0x01, 0, 0, 0, 0])
  ;(peer.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(header)
  expect((await peer.closed).code).toBe(1009)
})

test('[SIZE.4] a message in more than 1,024 fragments closes', async () => {
  const { peer } = await ready()
  for (let i = 0; i < 1_100; i++) peer.socket.send('x', { fin: false })
  expect((await peer.closed).code).toBe(1008)
})

test('[SIZE.6] a peer that lets 16 MiB wait to be read is cut off', async () => {
  const { bridge, peer } = await ready()
  peer.socket.pause()
  const text = 'x'.repeat(1_000_000)
  const calls = Array.from({ length: 60 }, () =>
    bridge.bridge.callTool('user_ann', 's', 't', { text }).catch((error: { code: string }) => error.code),
  )
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['outcome_unknown']))
})
