import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { ProtocolVersion } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { selfSigned, type TestCertificate, trust } from '../../../../test/support/certificates.ts'
import { proxyEnvironment, startProxy } from '../../../../test/support/proxy.ts'
import type { Ending } from '../../src/link/ending.ts'
import { dial, MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES, type Socket } from '../../src/link/socket.ts'

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const CHUNKED = 'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n'

/**
 * Dials a bridge that answers the upgrade with this text, until the connection has ended.
 * @param cuts whether the bridge ends it
 */
async function endings(answer: string, cuts: boolean) {
  const closed = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('close', () => closed.resolve())
    socket.once('data', () => (cuts ? socket.end(answer) : socket.write(answer)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const ended: Ending[] = []
  await new Promise<void>((resolve) => {
    const onEnd = (ending: Ending) => {
      ended.push(ending)
      resolve()
    }
    const url = `ws://127.0.0.1:${port}/api/mcp-ws`
    dial(
      url,
      { token: 't', version: 'v2' },
      { onOpen: () => {}, onFrame: () => {}, onChunk: () => {}, onEnd },
    )
  })
  await new Promise((resolve) => setImmediate(resolve))
  return { ended, closed: closed.promise }
}

interface Dialled {
  readonly version?: ProtocolVersion
  readonly certificate?: TestCertificate
  /** Settings of the server's TLS. */
  readonly tls?: TlsOptions
  /** Address to dial, in place of that of the server. */
  readonly url?: (port: number) => Promise<string>
  /** Called for each frame. */
  readonly onFrame?: (socket: Socket) => void
}

/** Dials a WebSocket server, and opens the socket. */
async function opened({ certificate, tls, version = 'v2', url, onFrame }: Dialled = {}) {
  const server =
    certificate === undefined ? createHttpServer() : createHttpsServer({ ...certificate, ...tls })
  const accepted = once(new WebSocketServer({ server }), 'connection') as Promise<
    [WebSocket, IncomingMessage]
  >
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const ended: Ending[] = []
  const frames: string[] = []
  const { promise: exporter, resolve } = Promise.withResolvers<Buffer | undefined>()
  const socket = dial(
    (await url?.(port)) ?? `${certificate === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}/api/mcp-ws`,
    { token: 't', version },
    {
      onOpen: resolve,
      onFrame: (frame) => {
        frames.push(String(frame))
        onFrame?.(socket)
      },
      onChunk: () => {},
      onEnd: (ending) => ended.push(ending),
    },
  )
  // Is not open yet: this is not sent.
  socket.send(Buffer.from('early'))
  const [webSocket, { socket: connection }] = await accepted
  const received: string[] = []
  webSocket.on('message', (data) => received.push(String(data)))
  const closed = once(webSocket, 'close') as Promise<[code: number]>
  onTestFinished(() => {
    socket.terminate()
    webSocket.terminate()
    server.close()
  })
  return { socket, exporter: await exporter, connection, ended, frames, received, closed, webSocket }
}

const UNREAD = { next: 'retry', reason: 'The bridge does not read the answers that it requested.' }
const SMALL = Buffer.from('{}')

/** Sends as many frames in one turn. The first fills the buffers of the kernel, so that the others wait. */
function sendMany(socket: Socket, count: number): void {
  socket.send(Buffer.alloc(16 * 1_048_576))
  for (let n = 1; n < count; n++) socket.send(SMALL)
}

test('[LINK.20] reads the code of a refusal that arrives in parts', async () => {
  const parts = chunk('{"error":{"co') + chunk('de":"token_invalid"}}') + chunk('')
  const { ended } = await endings(CHUNKED + parts, false)
  expect(ended).toEqual([{ next: 'give-up', code: 'token_invalid' }])
})

test('[LINK.20] reads at most 16 KiB of a refusal that never ends, and closes the connection', async () => {
  const parts = Array.from({ length: 17 }, () => chunk('x'.repeat(1_024))).join('')
  const { ended, closed } = await endings(CHUNKED + parts, false)
  await closed
  await new Promise((resolve) => setImmediate(resolve))
  expect(ended).toMatchObject([{ next: 'give-up', code: 'bridge_refused' }])
})

test('[LINK.20] ends once with what it has read of a refusal that breaks off', async () => {
  const cut = await endings(CHUNKED + chunk('{"error":{"code":"token_invalid"}}'), true)
  const empty = await endings(CHUNKED, true)
  await Promise.all([cut.closed, empty.closed])
  expect(cut.ended).toEqual([{ next: 'give-up', code: 'token_invalid' }])
  expect(empty.ended).toMatchObject([{ next: 'give-up', code: 'bridge_refused' }])
})

test('[LINK.28] takes the exporter of a connection with TLS 1.3 only', async () => {
  const certificate = selfSigned()
  trust(certificate)
  const { exporter, connection } = await opened({ certificate })
  const secure = connection as TLSSocket
  expect(exporter).toEqual(secure.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)))
  expect((await opened({ certificate, tls: { maxVersion: 'TLSv1.2' } })).exporter).toBeUndefined()
  expect((await opened()).exporter).toBeUndefined()
})

test('[PROXY.1] dials through the proxy of the environment', async () => {
  let asked: readonly string[] = []
  const { ended } = await opened({
    url: async (port) => {
      const proxy = await startProxy(port)
      proxyEnvironment({ HTTP_PROXY: `http://${proxy.at}` })
      asked = proxy.asked
      return 'ws://bridge.test/api/mcp-ws'
    },
  })
  expect([asked, ended]).toEqual([[expect.stringMatching(/^CONNECT bridge\.test:80 /)], []])
})

test('[LINK.25] lets 16,384 frames wait for the network, and ends the connection at one more', async () => {
  const { socket, ended, closed } = await opened()
  sendMany(socket, MAX_QUEUED_FRAMES - 1)
  await new Promise<void>((resolve) => socket.send(SMALL, resolve))
  // The network has taken all of them.
  sendMany(socket, MAX_QUEUED_FRAMES)
  expect(ended).toEqual([])
  for (let time = 0; time < 2; time++) socket.send(SMALL)
  expect(ended).toEqual([UNREAD])
  expect(await closed).toEqual([1006, expect.anything()])
  await new Promise((resolve) => setImmediate(resolve))
  expect(ended).toHaveLength(1)
})

test('[LINK.25] lets 64 MiB wait for the network, and ends the connection at one byte more', async () => {
  const { socket, ended } = await opened()
  const HEADER_BYTES = 14
  socket.send(Buffer.alloc(MAX_QUEUED_BYTES - HEADER_BYTES))
  expect(ended).toEqual([])
  socket.send(Buffer.alloc(1))
  expect(ended).toEqual([UNREAD])
})

test('[LINK.25] hands over nothing after the end, and sends nothing', async () => {
  const { connection, frames, ended, closed, received } = await opened({
    onFrame: (socket) => {
      sendMany(socket, MAX_QUEUED_FRAMES + 1)
      socket.send(Buffer.from('late'))
    },
  })
  const text = (word: string) => Buffer.concat([Buffer.from([0x81, word.length]), Buffer.from(word)])
  // In one write, so that both are read at once.
  connection.write(Buffer.concat([text('one'), text('two')]))
  await closed
  expect([frames, ended]).toEqual([['one'], [UNREAD]])
  for (const word of ['early', 'late']) expect(received).not.toContain(word)
})
