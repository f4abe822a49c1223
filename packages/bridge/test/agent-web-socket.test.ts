import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { AgentWebSocket, type WebSocketListener } from '../src/southbound/agent-web-socket.ts'

/** Around each size at which a frame has a longer head. */
const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 1_048_576]

const noListener: WebSocketListener = {
  received() {},
  pinged() {},
  ponged() {},
  failed() {},
  closed() {},
  slow() {},
  readingAgain() {},
  stuck() {},
}

/** Opens both ends of a real WebSocket, and gives the socket below the client's. */
async function openPair() {
  const http = createServer().listen(0, '127.0.0.1')
  const server = new WebSocketServer({ server: http, WebSocket: AgentWebSocket })
  const sockets: Duplex[] = []
  http.on('upgrade', (_request, socket) => sockets.push(socket))
  await once(http, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  onTestFinished(() => {
    client.terminate()
    server.close()
    http.close()
  })
  const below = once(client, 'upgrade') as Promise<[IncomingMessage]>
  const [accepted] = (await once(server, 'connection')) as [AgentWebSocket]
  const [{ socket: clientSocket }] = await below
  const socket = sockets[0] as Duplex
  accepted.begin({ listener: noListener, socket, system: new FakeSystem() })
  return { client, clientSocket, agent: accepted }
}

test('[WIRE.5] sends a message of any size as one text frame, between pings', async () => {
  const { client, agent } = await openPair()
  const texts = SIZES.map((size) => 'é'.repeat(size / 2).padEnd(size - Math.floor(size / 2), 'x'))
  const read: string[] = []
  let pings = 0
  client.on('ping', () => pings++)
  const all = new Promise<void>((resolve, reject) => {
    client.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return reject(new Error('a binary message'))
      if (read.push(data.toString()) === SIZES.length) resolve()
    })
    client.on('close', (code) => reject(new Error(`closed with ${code}`)))
  })
  for (const text of texts) {
    const payload = Buffer.from(text)
    expect(SIZES).toContain(payload.length)
    agent.write(payload)
    agent.ping()
  }
  await all
  expect(read.map((text) => text.length)).toEqual(texts.map((text) => text.length))
  expect(read).toEqual(texts)
  expect(pings).toBeGreaterThanOrEqual(SIZES.length - 1)
})

test('[WIRE.5] sends nothing after the close frame', async () => {
  const { agent, clientSocket } = await openPair()
  const sent: Buffer[] = []
  clientSocket.on('data', (bytes: Buffer) => sent.push(bytes))
  agent.write(Buffer.from('first'))
  agent.close(1000, '')
  agent.write(Buffer.from('late'))
  agent.ping()
  await once(clientSocket, 'end')
  expect(Buffer.concat(sent)).toEqual(Buffer.from('\x81\x05first\x88\x02\x03\xe8', 'latin1'))
})
