import { type DownMessage, encode } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeBridge } from '../support/bridge.ts'
import { runLink } from '../support/linked.ts'
import { until } from '../support/until.ts'

const OPEN: DownMessage & { readonly message: object } = {
  ...{ type: 'open', id: 'x', server: 'fake', kind: 'request', era: '2025', client: 'ann', streams: true },
  message: { jsonrpc: '2.0', id: 1, method: 'ping' },
}

test('[EXCH.30] hands over exchanges of a verified bridge only, and carries what they send', async () => {
  const bridge = await FakeBridge.start()
  bridge.manners.verifies = false
  const { exchanges, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  peer.send(OPEN)
  peer.send({ type: 'cancel', id: 'x' })
  peer.send({ type: 'challenge_verified' })
  await event('verified')
  expect(exchanges.frames).toEqual([])

  peer.send(OPEN)
  for (const type of ['cancel', 'detach', 'done'] as const) peer.send({ type, id: 'x' })
  peer.send({ type: 'revoke', client: 'ann' })
  peer.send({ type: 'end_session', client: 'ann', session: 'x' })
  await until(() => exchanges.frames.length === 6)
  expect(exchanges.frames.map(({ type }) => type)).toEqual([
    ...['open', 'cancel', 'detach', 'done', 'revoke', 'end_session'],
  ])
  expect(exchanges.frames[0]).toMatchObject({
    message: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}'),
  })
  exchanges.send?.({ id: 'x', head: encode({ type: 'accepted', id: 'x' }), isLast: false })
  expect(await peer.frame('accepted')).toEqual({ type: 'accepted', id: 'x' })
})

test('[LINK.35] reports the exchange that sends more than the bridge reads, and keeps the connection', async () => {
  const bridge = await FakeBridge.start()
  const { exchanges, event, events } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.pause()
  const head = encode({ type: 'accepted', id: 'x'.repeat(100) })
  let count = 0
  for (; count < 16_000 && !exchanges.isFlooding('flood'); count++)
    exchanges.send?.({ id: 'flood', head, isLast: false })
  expect(exchanges.isFlooding('flood')).toBe(true)
  exchanges.send?.({ id: 'calm', head: encode({ type: 'accepted', id: 'calm' }), isLast: true })
  expect(exchanges.isFlooding('calm')).toBe(false)
  peer.socket.resume()
  expect(await peer.frame('accepted', count + 1)).toEqual({ type: 'accepted', id: 'calm' })
  expect(events.map(({ type }) => type)).not.toContain('disconnected')
  await until(() => !exchanges.isFlooding('flood'))
})

test('[EXCH.30] tells the exchanges when the connection has ended', async () => {
  const bridge = await FakeBridge.start()
  const { exchanges, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  expect(exchanges.send).toBeDefined()
  peer.socket.terminate()
  await event('disconnected')
  expect(exchanges.send).toBeUndefined()
})
