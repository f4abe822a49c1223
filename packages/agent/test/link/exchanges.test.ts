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
  await until(() => exchanges.frames.length === 4)
  expect(exchanges.frames.map(({ type }) => type)).toEqual(['open', 'cancel', 'detach', 'done'])
  expect(exchanges.frames[0]).toMatchObject({
    message: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}'),
  })
  exchanges.send?.({ id: 'x', head: encode({ type: 'accepted', id: 'x' }), isLast: false })
  expect(await peer.frame('accepted')).toEqual({ type: 'accepted', id: 'x' })
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
