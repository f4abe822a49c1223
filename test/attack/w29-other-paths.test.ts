import { expect, test } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { rawClient, rawUpgrade } from '../support/raw.ts'

function openSockets(at: TestBridge): Promise<number> {
  return new Promise((resolve, reject) =>
    at.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  )
}

test('[API.3] W29: answers an upgrade to an unknown path and closes its socket', async () => {
  const at = await startBridge()
  const { accessToken: token } = await at.token('ann')
  const paths = [
    '/_next/webpack-hmr',
    '/api/mcp-ws/_next',
    '/',
    '//api/mcp-ws',
    '/api/mcp-ws/',
    '/API/MCP-WS',
    '/api/mcp-ws%00',
    '/api/../api/mcp-ws',
    '*',
    'http://evil.example/x',
  ]
  for (const path of paths) {
    const client = await rawUpgrade(at, { path, token })
    expect((await client.answer()).status, path).toBeGreaterThanOrEqual(400)
    await client.ended
  }
  await expect.poll(() => openSockets(at)).toBe(0)
})

test('[WS.4] W29: answers or drops unparsable requests, and keeps serving', async () => {
  const at = await startBridge()
  const host = 'Host: 127.0.0.1'
  const requests = [
    'GET /api/mcp-ws HTTP/1.1\r\n\r\n',
    `GET /api/mcp-ws HTTP/1.1\r\nHost: [\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    `GET /api/mcp-ws HTTP/1.1\r\n${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\n\r\n`,
    `GET /api/mcp-ws HTTP/1.1\r\n${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\r\n`,
    `POST /api/mcp-ws HTTP/1.1\r\n${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nhello`,
    `GET /mcp/%ff%fe HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`,
    `GET /mcp/${'a'.repeat(9_000)} HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`,
    `POST /mcp HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /mcp HTTP/1.1\r\n\r\n`,
    `GET /api/mcp-ws HTTP/1.1\r\n${host}\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`,
    `${'\u0000'.repeat(64)}\r\n\r\n`,
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]
  for (const request of requests) {
    const client = await rawClient(at.port)
    client.write(Buffer.from(request, 'latin1'))
    const { status } = await client.answer()
    if (!Number.isNaN(status)) expect(status, request.slice(0, 60)).toBeGreaterThanOrEqual(400)
    client.socket.destroy()
  }
  expect((await fetch(`${at.url}/healthz`)).status).toBe(200)
  await expect.poll(() => openSockets(at)).toBeLessThanOrEqual(1)
})
