import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { verifiedPeer } from '../support/peer.ts'
import { frame, rawUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const MIB = 1_048_576
/** Bytes that the system delivers in one read, before the bridge can pause it. */
const ONE_READ = 65_536

function serverSockets(at: TestBridge): Socket[] {
  const sockets: Socket[] = []
  at.server.on('connection', (socket) => sockets.push(socket))
  return sockets
}

test('[SIZE.3] W27: reads less than 192 KiB of 90 MiB that an unverified peer sends', async () => {
  const at = await startBridge()
  const sockets = serverSockets(at)
  const { accessToken } = await at.token('ann')
  const header = Buffer.alloc(14)
  header.set([0x81, 0xff])
  header.writeBigUInt64BE(BigInt(3 * MIB), 2)
  const endless: Readonly<Record<string, Buffer>> = {
    'one frame': header,
    fragments: Buffer.alloc(0),
  }
  for (const [name, start] of Object.entries(endless)) {
    const client = await rawUpgrade(at, { token: accessToken })
    await client.message('challenge')
    client.write(start)
    const piece =
      name === 'one frame' ? Buffer.alloc(16_384, 0x20) : frame(Buffer.alloc(16_000, 0x20), { fin: false })
    for (
      let sent = 0;
      sent < 90 * MIB && !client.socket.closed && client.socket.writable;
      sent += piece.length
    ) {
      if (!client.socket.write(piece))
        await new Promise<void>((resolve) => {
          client.socket.once('drain', resolve)
          client.socket.once('close', () => resolve())
        })
    }
    await client.ended
    expect(sockets.pop()?.bytesRead ?? Number.NaN, name).toBeLessThan(3 * ONE_READ)
  }
})

test('[SIZE.3] W27: holds less than 256 KiB for each of 100 unverified peers', async () => {
  const at = await startBridge({
    connectionLimits: {
      inAll: 500,
      perAddress: 500,
      perUser: 500,
      handshakes: 500,
      handshakeWindowMs: 60_000,
    },
  })
  const { accessToken: token } = await at.token('ann')
  const before = process.memoryUsage()
  const clients = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const client = await rawUpgrade(at, { token })
      await client.message('challenge')
      client.write(frame(Buffer.alloc(3_000, 0x20), { fin: false }))
      return client
    }),
  )
  const after = process.memoryUsage()
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(100 * 256 * 1_024)
  for (const client of clients) client.socket.destroy()
})

test('[SIZE.1] W27: accepts 1 MiB, and refuses and logs one byte more, whole or in fragments, on an open connection', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const peer = await verifiedPeer(at, await at.token('ann'))
  const padded = (bytes: number) => `{"type":"ping"}${' '.repeat(bytes - 15)}`
  peer.send(padded(MIB))
  await peer.next('pong')
  peer.send(padded(MIB + 1))
  expect(await peer.next('error')).toMatchObject({ error: 'message_too_large', maxSize: MIB })
  const half = padded(MIB + 1)
  peer.socket.send(half.slice(0, 600_000), { fin: false })
  peer.socket.send(half.slice(600_000))
  expect(await peer.next('error')).toMatchObject({ error: 'message_too_large' })
  peer.send({ type: 'ping' })
  await peer.next('pong')
  expect(log.named('ws_message_too_large')).toMatchObject([
    { size: MIB + 1, maxSize: MIB },
    { size: MIB + 1, maxSize: MIB },
  ])
})

test('[SIZE.4] W27: refuses a frame over 4 MiB by its header, and endless tiny or empty fragments', async () => {
  const at = await startBridge()
  const bystander = await verifiedPeer(at, await at.token('bob'))
  const { accessToken } = await at.token('ann')
  const floods: Readonly<Record<string, readonly Buffer[]>> = {
    'a frame of 4 MiB and a byte': [Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x40, 0, 1])],
    'tiny fragments': [
      frame('a', { fin: false }),
      ...Array.from({ length: 5_000 }, () => frame('a', { opcode: 0, fin: false })),
    ],
    'empty fragments': [
      frame('', { fin: false }),
      ...Array.from({ length: 5_000 }, () => frame('', { opcode: 0, fin: false })),
    ],
  }
  for (const [name, frames] of Object.entries(floods)) {
    const peer = await verifiedPeer(at, await at.token('ann'))
    const { _socket: socket } = peer.socket as unknown as { _socket: Socket }
    socket.write(Buffer.concat(frames))
    expect((await peer.closed).code, name).toBe(name.endsWith('fragments') ? 1008 : 1009)
    const client = await rawUpgrade(at, { token: accessToken })
    await client.message('challenge')
    client.write(Buffer.concat(frames))
    await client.ended
  }
  bystander.send({ type: 'ping' })
  await bystander.next('pong')
})
