import { connect } from 'node:net'
import { memoryUsers } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { dial, refusedUpgrade, verifiedPeer } from '../support/peer.ts'

test('[WS.1] answers a plain GET with 426, security headers and a next step', async () => {
  const bridge = await startBridge()
  const response = await fetch(`${bridge.url}/api/mcp-ws`)
  expect(response.status).toBe(426)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-security-policy': "default-src 'none'",
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    upgrade: 'websocket',
  })
  expect(await response.json()).toMatchObject({
    error: { code: 'upgrade_required', next: expect.any(String) },
  })
})

const refusals = async (bridge: Awaited<ReturnType<typeof startBridge>>) => {
  const { accessToken } = await bridge.token('ann')
  const expired = await bridge.token('ann', -5_000)
  const stranger = await bridge.token('stranger')
  return [
    { code: 'token_missing', status: 401, options: {} },
    { code: 'token_expired', status: 401, options: { token: expired.accessToken } },
    { code: 'token_invalid', status: 401, options: { token: `${accessToken.slice(0, -3)}AAA` } },
    { code: 'user_unknown', status: 401, options: { token: stranger.accessToken } },
    { code: 'token_in_url', status: 400, options: { path: `/api/mcp-ws?token=${accessToken}` } },
  ]
}

test('[WS.2] refuses a v2 agent with plain HTTP and the code, and opens no WebSocket', async () => {
  const bridge = await startBridge()
  for (const { code, status, options } of await refusals(bridge)) {
    const answer = await refusedUpgrade(dial(bridge, { ...options, v2: true }))
    expect(answer).toMatchObject({ status, body: { error: { code } } })
  }
})

test('[WS.3] closes a refused v1 peer with 1008 and the code, and sends it no message', async () => {
  const bridge = await startBridge()
  for (const { code, options } of await refusals(bridge)) {
    const peer = dial(bridge, options)
    expect(await peer.closed).toEqual({ code: 1008, reason: code })
    expect(peer.waiting).toEqual([])
  }
})

test('[WS.3] accepts the seed’s cookie like a bearer token', async () => {
  const bridge = await startBridge()
  await verifiedPeer(bridge, await bridge.token('ann'), { via: 'cookie' })
})

test('[AUTH.9] refuses agents and callers with internal_error while the user store is down', async () => {
  const { authenticate } = brokenAuthenticator()
  const bridge = await startBridge({ authenticator: { authenticate, recall: () => undefined } })
  const { accessToken } = await bridge.token('ann')
  const answer = await refusedUpgrade(dial(bridge, { token: accessToken, v2: true }))
  expect(answer).toMatchObject({ status: 500, body: { error: { code: 'internal_error' } } })
})

function brokenAuthenticator() {
  const users = { ...memoryUsers(), findById: () => Promise.reject(new Error('the store is down')) }
  return { authenticate: () => users.findById() as Promise<never> }
}

test('[WS.4] closes only the socket of a malformed frame, before and after verification', async () => {
  const bridge = await startBridge()
  const issued = await bridge.token('ann')
  const bystander = await verifiedPeer(bridge, await bridge.token('bob'))
  const malformed = [
    Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), // reserved bit set
    Buffer.from([0x83, 0x80, 0, 0, 0, 0]), // reserved opcode
    Buffer.from([0x81, 0x01, 0x41]), // not masked
    Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), // absurd length
    Buffer.from([0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0]), // control frame over 125 bytes
    Buffer.from([0x00, 0x80, 0, 0, 0, 0]), // continuation of nothing
    Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), // broken UTF-8
    Buffer.from([0x88, 0x81, 0, 0, 0, 0, 0x01]), // close code cut in half
  ]
  for (const bytes of malformed) {
    const fresh = dial(bridge, { token: issued.accessToken })
    await fresh.next('challenge')
    rawSocket(fresh.socket).write(bytes)
    expect((await fresh.closed).code, bytes.toString('hex')).toBeGreaterThanOrEqual(1002)
    const verified = await verifiedPeer(bridge, issued)
    rawSocket(verified.socket).write(bytes)
    expect((await verified.closed).code, bytes.toString('hex')).toBeGreaterThanOrEqual(1002)
  }
  bystander.send({ type: 'ping' })
  await bystander.next('pong')
})

test('[WS.4] keeps serving when a socket breaks off during the handshake', async () => {
  const bridge = await startBridge()
  const { accessToken } = await bridge.token('ann')
  const head = [
    'GET /api/mcp-ws HTTP/1.1',
    'Host: x',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    `Authorization: Bearer ${accessToken}`,
  ].join('\r\n')
  for (const ending of [
    '',
    '\r\n',
    '\r\n\r\n',
    '\r\nSec-WebSocket-Protocol: ,,\r\n\r\n',
    '\r\nSec-WebSocket-Key: x\r\n\r\n',
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connect(bridge.port, '127.0.0.1', () => {
        socket.write(head + ending, () => socket.resetAndDestroy())
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
  }
  await verifiedPeer(bridge, await bridge.token('ann'))
})

test('[WS.5] never negotiates compression', async () => {
  const bridge = await startBridge()
  const peer = await verifiedPeer(bridge, await bridge.token('ann'), {
    socketOptions: { perMessageDeflate: true },
  })
  expect(peer.socket.extensions).toBe('')
})

function rawSocket(webSocket: object): { write(bytes: Buffer): void } {
  return (webSocket as { _socket: { write(bytes: Buffer): void } })._socket
}
