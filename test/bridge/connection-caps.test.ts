import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FingerprintStore } from '@bridgekeeper/bridge'
import { DEFAULT_CONNECTION_LIMITS } from '@bridgekeeper/bridge/testing'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { dial, verifiedPeer } from '../support/peer.ts'

const AT_ONCE = 12

/** A store that answers the first so many questions all in one moment. */
function togetherStore(): FingerprintStore {
  let asked = 0
  let answerAll = (): void => {}
  const all = new Promise<void>((resolve) => {
    answerAll = resolve
  })
  return {
    async last() {
      if (++asked === AT_ONCE) answerAll()
      await all
      return undefined
    },
    remember: async () => {},
  }
}

test.each([
  ['a user', { perUser: 3 }],
  ['an address', { perAddress: 3 }],
  ['the bridge', { inAll: 3 }],
])('[CONN.1] admits up to the limit of %s when many connect at once', async (_whose, change) => {
  const at = await startBridge({
    connectionLimits: { ...DEFAULT_CONNECTION_LIMITS, ...change },
    stores: { fingerprints: togetherStore() },
  })
  const issued = await at.token('ann')
  const dialled = Array.from({ length: AT_ONCE }, () => dial(at, { token: issued.accessToken }))
  const arrivals = dialled.map((peer) =>
    peer.next('challenge').then(
      () => [peer],
      async () => {
        expect((await peer.closed).code).toBe(1006)
        return []
      },
    ),
  )
  const inside = (await Promise.all(arrivals)).flat()
  expect(inside).toHaveLength(3)
  // Refused connections were not counted: when all have closed, there is room again.
  for (const peer of inside) peer.socket.close()
  await Promise.all(inside.map((peer) => peer.closed))
  const room = () =>
    verifiedPeer(at, issued).then(
      () => 'room',
      () => 'none',
    )
  await expect.poll(room).toBe('room')
})

/** Writes an upgrade request by hand. */
function ask(port: number, token: string, key: string): Socket {
  const lines = [
    'GET /api/mcp-ws HTTP/1.1',
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
    `Authorization: Bearer ${token}`,
  ]
  const socket = connect(port, '127.0.0.1', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`))
  socket.on('error', () => {})
  return socket.resume()
}

test('[CONN.1] counts no connection for a peer that breaks off or fails the handshake during admission', async () => {
  const at = await startBridge({
    connectionLimits: { ...DEFAULT_CONNECTION_LIMITS, perUser: 1 },
    stores: { fingerprints: togetherStore() },
  })
  const issued = await at.token('ann')
  const gone = ask(at.port, issued.accessToken, 'AAAAAAAAAAAAAAAAAAAAAA==')
  await once(gone, 'connect')
  gone.end()
  for (let wrong = 1; wrong < AT_ONCE; wrong++) {
    const socket = ask(at.port, issued.accessToken, 'no key')
    if (wrong === AT_ONCE - 1) await once(socket, 'close')
  }
  await verifiedPeer(at, issued)
})
