import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { encodeChunk } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { FakeBridge, type Peer } from '../support/bridge.ts'
import { runLink } from '../support/linked.ts'

/** Waits until the agent has handled every frame before. */
async function handled(peer: Peer): Promise<void> {
  const count = peer.all('pong').length
  peer.send({ type: 'ping' })
  await peer.frame('pong', count + 1)
}

async function linked() {
  const bridge = await FakeBridge.start()
  const made = runLink(bridge.url)
  const peer = await bridge.peer()
  await made.event('verified')
  const ignored = async () => {
    await handled(peer)
    peer.socket.terminate()
    return (await made.event('disconnected')).ignoredFrames
  }
  return { ...made, bridge, peer, ignored }
}

test('[LINK.14] counts no frame that the bridge may send', async () => {
  const { peer, tools, system, ignored } = await linked()
  peer.execute('1', 'tool')
  await peer.result('1')
  peer.send({ type: 'tool_cancel', id: '1' })
  peer.send({ type: 'credit', id: '1', bytes: 1 })
  peer.send({ type: 'error', error: 'message_too_large' })
  peer.send({ type: 'tool_execute', id: '2', serverName: 's', toolName: 't', bytes: 2 })
  peer.sendChunks('2', Buffer.from('{}'))
  await peer.result('2')
  await system.advance(30_000)
  await peer.frame('ping')
  expect(await ignored()).toBe(0)
  expect(tools.calls).toHaveLength(2)
})

test('[LINK.14] counts frames at the wrong time, and those that only an agent sends', async () => {
  const { peer, events, exchanges, ignored } = await linked()
  let begins = 0
  exchanges.connected = () => void begins++
  peer.send({ type: 'challenge_verified' })
  peer.socket.send('{"type":"tool_result","id":"1","success":true,"result":{}}')
  peer.socket.send(Buffer.alloc(0))
  expect(await ignored()).toBe(3)
  expect([begins, events.filter(({ type }) => type === 'verified').length]).toEqual([0, 1])
})

test('[LINK.14] counts what the bridge sends before it has accepted the agent', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { event } = runLink(bridge.url)
  const peer = await bridge.peer()
  peer.execute('1', 'tool')
  peer.sendChunks('1', Buffer.from('{}'))
  await handled(peer)
  peer.socket.terminate()
  expect(await event('disconnected')).toMatchObject({ ignoredFrames: 2 })
})

test('[LINK.15] treats a chunk as a sign of life', async () => {
  const bridge = await FakeBridge.start({ answersPings: false })
  const { system, events } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  for (let n = 1; n <= 2; n++) {
    await system.advance(30_000)
    await peer.frame('ping', n)
    peer.sendChunks('unknown', Buffer.from('{}'))
    await handled(peer)
  }
  await system.advance(29_999)
  expect(events.map(({ type }) => type)).not.toContain('disconnected')
})

test('[LINK.15] answers each WebSocket ping once', async () => {
  const { peer } = await linked()
  const pongs: string[] = []
  peer.socket.on('pong', (data) => pongs.push(String(data)))
  for (const text of ['1', '2']) peer.socket.ping(text)
  await handled(peer)
  expect(pongs).toEqual(['1', '2'])
})

test('[LINK.16] reports the code of a refused token to an unenrolled machine, and stays connected', async () => {
  const { peer, event, ignored } = await linked()
  peer.send({ type: 'error', error: 'token_invalid' })
  expect(await event('bridge-error')).toMatchObject({ code: 'token_invalid' })
  expect(await ignored()).toBe(0)
})

test('[LINK.29] handles nothing more once it has ended a connection', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const closed = Promise.withResolvers<number>()
  server.on('connection', (socket) => {
    socket.on('close', (code) => closed.resolve(code))
    const proof = { connectionId: 'c', keyId: 'A'.repeat(43), binding: 'none' }
    socket.send(JSON.stringify({ type: 'challenge', challenge: 'ab'.repeat(32), expiresIn: 1, proof }))
    socket.send(JSON.stringify({ type: 'error', error: 'message_too_large' }))
    socket.send(encodeChunk({ id: '1', bytes: Buffer.from('{}') }))
  })
  const { ended, events } = runLink(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  expect(await ended).toMatchObject({ code: 'proof_required' })
  // It says goodbye after it has read all of that.
  expect(await closed.promise).toBe(1001)
  expect(events.map(({ type }) => type)).toEqual(['connecting'])
})
