import { getEventListeners, once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { FakeBridge } from '../support/bridge.ts'
import { runLink, tokenOf } from '../support/linked.ts'
import { until } from '../support/until.ts'

const BUSY = { status: 429, headers: { 'retry-after': '600' } }

test('[LINK.17] stops at once while it waits for the next attempt, without another token', async () => {
  const bridge = await FakeBridge.start({ refuses: BUSY })
  let asked = 0
  const { event, stop, ended, signal } = runLink(bridge.url, {
    token: () => {
      asked++
      return tokenOf()
    },
  })
  await event('disconnected')
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  stop()
  expect(await ended).toBe('resolved')
  expect([asked, getEventListeners(signal, 'abort')]).toEqual([1, []])
})

test('[LINK.17] stops at once while it waits for a token', async () => {
  const asked = Promise.withResolvers<void>()
  const { stop, ended, events } = runLink('ws://127.0.0.1:9/', {
    token: () => {
      asked.resolve()
      return new Promise(() => {})
    },
  })
  await asked.promise
  stop()
  expect([await ended, events]).toEqual(['resolved', []])
})

test('[LINK.17] stops at once while the bridge does not answer the handshake', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const connected = once(server, 'connection')
  const { stop, ended, events } = runLink(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  await connected
  stop()
  expect(await ended).toBe('resolved')
  expect(events.map(({ type }) => type)).toEqual(['connecting'])
})

test('[LINK.17] stops at once while the bridge has not accepted it', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { stop, ended, events } = runLink(bridge.url)
  await (await bridge.peer()).frame('challenge_response')
  stop()
  expect(await ended).toBe('resolved')
  expect(events.map(({ type }) => type)).toEqual(['connecting'])
})

test('[LINK.17] reports nothing more once stopped, whatever the bridge answers', async () => {
  const bridge = await FakeBridge.start()
  const { stop, ended, events, event, system } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.pause()
  stop()
  await system.advance(999)
  // Still waits for the bridge's goodbye.
  expect(await Promise.race([ended, Promise.resolve('waits')])).toBe('waits')
  await system.advance(1)
  expect(await ended).toBe('resolved')
  expect(events.map(({ type }) => type)).toEqual(['connecting', 'verified'])
})

test('[LINK.20] leaves the signal alone once it has ended for an error', async () => {
  const bridge = await FakeBridge.start({ closesWith: [1008, 'user_unknown'] })
  const { ended, signal } = runLink(bridge.url)
  expect(await ended).toMatchObject({ code: 'user_unknown' })
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('[LINK.24] ends a connection that is too slow without a goodbye', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { event, events, system } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  await system.advance(30_000)
  await event('disconnected')
  expect(await until(() => peer.closed)).toEqual([1006, ''])
  expect(events.map(({ type }) => type)).not.toContain('verified')
})
