import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { LocalOutcome } from '../src/local-tools.ts'
import { FakeBridge } from './support/bridge.ts'
import { runLink, tokenOf } from './support/linked.ts'
import { until } from './support/until.ts'

const failed = (code: 'tool_failed' | 'call_cancelled', rpcError?: string): LocalOutcome => ({
  ok: false,
  code,
  error: 'No.',
  ...(rpcError !== undefined && { rpcError: Buffer.from(rpcError) }),
})

test('[LINK.2] dials with the token in a header, offering v2 and no compression', async () => {
  const bridge = await FakeBridge.start()
  runLink(bridge.url)
  const { request } = await bridge.peer()
  expect(request.url).toBe('/api/mcp-ws')
  expect(request.headers.authorization).toBe(`Bearer ${tokenOf()}`)
  expect(request.headers['sec-websocket-protocol']).toBe('bridgekeeper.v2')
  expect(request.headers['sec-websocket-extensions']).toBeUndefined()
})

test('[LINK.3] answers the challenge with the SHA-256 of it and the token’s user and session', async () => {
  const bridge = await FakeBridge.start()
  const { event } = runLink(bridge.url)
  const response = await (await bridge.peer()).frame('challenge_response')
  expect(response.response).toBe(createHash('sha256').update('abcusersession').digest('hex'))
  expect(await event('verified')).toMatchObject({ version: 'v2' })
})

test('[LINK.3] prefers user and session from the options to those of the token', async () => {
  const bridge = await FakeBridge.start()
  runLink(bridge.url, { token: () => 'opaque', claims: { userId: 'u', sessionId: 's' } })
  const response = await (await bridge.peer()).frame('challenge_response')
  expect(response.response).toBe(createHash('sha256').update('abcus').digest('hex'))
})

test('[LINK.3] ends the agent with token_unreadable for a token without user and session', async () => {
  const bridge = await FakeBridge.start()
  const { ended } = runLink(bridge.url, { token: () => tokenOf({ sub: 'user' }) })
  expect(await ended).toMatchObject({ name: 'AgentError', code: 'token_unreadable' })
  expect(bridge.requests).toEqual([])
})

test.each(['', 'two lines\n', 'töken'])(
  '[LINK.3] ends the agent with token_unreadable for a token that fits no header: %j',
  async (token) => {
    const { ended } = runLink('ws://127.0.0.1:9/', {
      token: () => token,
      claims: { userId: 'u', sessionId: 's' },
    })
    expect(await ended).toMatchObject({ name: 'AgentError', code: 'token_unreadable' })
  },
)

test('[LINK.4] speaks v1 with a bridge that picks no subprotocol: no catalog, and failures without a code', async () => {
  const bridge = await FakeBridge.start({ speaks: 'v1' })
  const { tools, event, events } = runLink(bridge.url)
  tools.answer = () => failed('tool_failed', '{"code":1,"message":"m"}')
  const peer = await bridge.peer(2)
  expect(await event('verified')).toMatchObject({ version: 'v1' })
  peer.execute('1', 'tool')
  expect(await peer.result('1')).toEqual({ type: 'tool_result', id: '1', success: false, error: 'No.' })
  expect(peer.all('catalog')).toEqual([])
  expect(events.filter(({ type }) => type === 'disconnected')).toEqual([])
})

test('[LINK.5] sends the catalog once verified, and again after a change', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { tools, link } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  link.catalogChanged()
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  expect(peer.all('catalog')).toEqual([])

  peer.send({ type: 'challenge_verified' })
  expect(await peer.frame('catalog')).toEqual({
    type: 'catalog',
    servers: [{ state: 'starting', name: 'server' }],
  })
  link.catalogChanged()
  tools.servers = [{ state: 'failed', name: 'server', reason: 'It ended.' }]
  link.catalogChanged()
  expect(await peer.frame('catalog', 2)).toMatchObject({ servers: [{ state: 'failed' }] })
})

test('[LINK.5] does not send an unchanged catalog again', async () => {
  const bridge = await FakeBridge.start()
  const { link } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  link.catalogChanged()
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  expect(peer.all('catalog')).toHaveLength(1)
})

test('[LINK.7] runs a call and sends the bytes of its result', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  tools.answer = ({ rawArgs }) => ({ ok: true, result: rawArgs })
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.send(
    '{"type":"tool_execute","id":"1","serverName":"server","toolName":"t","args":{ "n":12345678901234567890}}',
  )
  await peer.result('1')
  const raw = peer.raw.at(-1)?.toString('utf8')
  expect(raw).toBe('{"type":"tool_result","id":"1","success":true,"result":{ "n":12345678901234567890}}')
  expect(tools.calls[0]).toMatchObject({ serverName: 'server', toolName: 't' })
  expect(await event('call-finished')).toMatchObject({ server: 'server', tool: 't', outcome: 'ok' })
})

test('[LINK.8] sends v2 the code of a failure and the server’s JSON-RPC error', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  tools.answer = () => failed('tool_failed', '{"code":-32602,"message":"m","data":{"a":1}}')
  peer.execute('1', 'tool')
  const rpcError = { code: -32_602, message: 'm', data: { a: 1 } }
  expect(await peer.result('1')).toEqual({
    ...{ type: 'tool_result', id: '1', success: false },
    ...{ error: 'No.', code: 'tool_failed', rpcError },
  })
})

test('[LINK.9] leaves out a server’s error over 1 MiB', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  tools.answer = () => failed('tool_failed', JSON.stringify({ code: 1, message: 'x'.repeat(1_048_576) }))
  peer.execute('2', 'tool')
  expect(await peer.result('2')).not.toHaveProperty('rpcError')
})

test('[LINK.10] passes the bridge’s cancellation to the running call', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  tools.answer = ({ signal }) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve(failed('call_cancelled'))))
  peer.execute('1', 'tool')
  await until(() => tools.calls.length === 1)
  peer.send({ type: 'tool_cancel', id: 'other' })
  peer.send({ type: 'tool_cancel', id: '1' })
  expect(await peer.result('1')).toMatchObject({ code: 'call_cancelled' })
})

test('[LINK.11] refuses a second call with the id of a running one, which continues', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  const first = Promise.withResolvers<LocalOutcome>()
  tools.answer = () => first.promise
  peer.execute('1', 'tool')
  peer.execute('1', 'tool')
  expect(await peer.result('1')).toMatchObject({ code: 'call_id_conflict' })
  first.resolve({ ok: true, result: Buffer.from('{}') })
  await until(() => peer.all('tool_result').length === 2)
  expect(peer.all('tool_result')[1]).toMatchObject({ id: '1', success: true })
  expect(tools.calls).toHaveLength(1)
})

test('[LINK.11] refuses more than 512 concurrent calls', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  const { promise, resolve } = Promise.withResolvers<LocalOutcome>()
  tools.answer = () => promise
  for (let i = 1; i <= 513; i++) peer.execute(String(i), 'tool')
  expect(await peer.result('513')).toMatchObject({ code: 'too_many_calls' })
  expect(peer.all('tool_result')).toHaveLength(1)
  resolve({ ok: true, result: Buffer.from('{}') })
  await until(() => peer.all('tool_result').length === 513)
})

test('[LINK.12] cancels the calls of a connection when it ends', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  tools.answer = () => new Promise(() => {})
  peer.execute('1', 'tool')
  const { signal } = await until(() => tools.calls[0])
  peer.socket.terminate()
  await until(() => signal.aborted)
})

test('[LINK.13] runs no call before the bridge accepts the challenge', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { tools } = runLink(bridge.url)
  const peer = await bridge.peer()
  peer.execute('1', 'tool')
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  expect(tools.calls).toEqual([])
})

test('[LINK.14] skips and counts frames that are no messages of the protocol', async () => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  for (const frame of [
    'garbage',
    '[]',
    '{"type":"unknown"}',
    '{"type":"tool_execute","id":"1","serverName":"server","toolName":"t","args":[]}',
    '{"type":"tool_execute","id":"1","serverName":"server","toolName":"a\\u0000","args":{}}',
    '{"type":"tool_execute","id":"1","id":"2","serverName":"server","toolName":"t","args":{}}',
    Buffer.from('{"type":"tool_execute","id":"1","serverName":"server","toolName":"t","args":{}}'),
  ]) {
    peer.socket.send(frame)
  }
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  expect(tools.calls).toEqual([])
  peer.socket.terminate()
  expect(await event('disconnected')).toMatchObject({ ignoredFrames: 7 })
})

const UNREADABLE_CALLS = [
  '{"type":"tool_execute","id":"1","serverName":"server","toolName":"t","args":[]}',
  '{"type":"tool_execute","id":"1","serverName":"server","toolName":"a\\u0000","args":{}}',
  '{"type":"tool_execute","id":"1"}',
]

test.each(UNREADABLE_CALLS)('[LINK.27] answers an unreadable call at once: case %#', async (call) => {
  const bridge = await FakeBridge.start()
  const { tools, event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.send(call)
  expect(await peer.result('1')).toMatchObject({
    ...{ success: false, code: 'message_invalid' },
    error: expect.stringContaining('The message is not valid.'),
  })
  expect(tools.calls).toEqual([])
})

test('[LINK.27] answers an unreadable v1 call without a code', async () => {
  const bridge = await FakeBridge.start({ speaks: 'v1' })
  const { event } = runLink(bridge.url)
  const peer = await bridge.peer(2)
  await event('verified')
  peer.socket.send('{"type":"tool_execute","id":"1"}')
  expect(await peer.result('1')).toEqual({
    ...{ type: 'tool_result', id: '1', success: false },
    error: expect.stringContaining('The message is not valid.'),
  })
})

test.each([
  '{"type":"tool_execute"}',
  '{"type":"tool_execute","id":1}',
  '{"type":"tool_execute","id":""}',
  `{"type":"tool_execute","id":"${'1'.repeat(129)}"}`,
  '{"type":"tool_cancel","id":""}',
])('[LINK.27] does not answer an unreadable call without a usable id: case %#', async (call) => {
  const bridge = await FakeBridge.start()
  const { event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.send(call)
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  expect(peer.all('tool_result')).toEqual([])
})

test('[LINK.27] an unreadable call ends neither a running call with its id nor the wait for the challenge', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { tools, event } = runLink(bridge.url)
  tools.answer = () => new Promise(() => {})
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  peer.socket.send('{"type":"tool_execute","id":"1"}')
  peer.send({ type: 'challenge_verified' })
  await event('verified')
  peer.execute('1', 'tool')
  peer.socket.send('{"type":"tool_execute","id":"1"}')
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  expect(peer.all('tool_result')).toEqual([])
})

test('[LINK.15] pings every 30 seconds, and drops a connection that does not answer within 30 more', async () => {
  const bridge = await FakeBridge.start({ answersPings: false })
  const { system, event, events } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  await system.advance(29_000)
  expect(peer.all('ping')).toEqual([])
  await system.advance(1_000)
  await peer.frame('ping')
  await system.advance(29_000)
  expect(events.filter(({ type }) => type === 'disconnected')).toEqual([])
  await system.advance(1_000)
  expect(await event('disconnected')).toMatchObject({ reason: 'The bridge no longer answers.' })
  await system.advance(500)
  await bridge.peer(2)
})

test('[LINK.15] treats any frame as a sign of life', async () => {
  const bridge = await FakeBridge.start({ answersPings: false })
  const { system, events } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  for (let n = 1; n <= 4; n++) {
    await system.advance(30_000)
    await peer.frame('ping', n)
    peer.send({ type: 'ping' })
    await peer.frame('pong', n)
  }
  expect(events.filter(({ type }) => type === 'disconnected')).toEqual([])
})

test('[LINK.16] reports errors of the bridge by their code', async () => {
  const bridge = await FakeBridge.start()
  const { event } = runLink(bridge.url)
  const peer = await bridge.peer()
  peer.send({ type: 'error', error: 'message_too_large\u001b[2J', maxSize: 1 })
  expect(await event('bridge-error')).toEqual({ type: 'bridge-error', code: 'message_too_large [2J' })
})

test('[LINK.17] closes the connection as going away when stopped', async () => {
  const bridge = await FakeBridge.start()
  const { stop, ended } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  stop()
  expect(await ended).toBe('resolved')
  expect(await until(() => peer.closed)).toEqual([1001, ''])
})

test('[LINK.17] waits at most a second for a bridge that does not answer the close', async () => {
  const bridge = await FakeBridge.start()
  const { stop, ended, system } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  peer.socket.pause()
  stop()
  await system.advance(1_000)
  expect(await ended).toBe('resolved')
})

test('[LINK.18] retries an address where nothing answers', async () => {
  const { event } = runLink('ws://127.0.0.1:9/api/mcp-ws')
  expect(await event('disconnected')).toMatchObject({
    reason: 'The bridge cannot be reached (ECONNREFUSED).',
  })
})

test('[LINK.15] answers WebSocket pings', async () => {
  const bridge = await FakeBridge.start()
  const { event } = runLink(bridge.url)
  const peer = await bridge.peer()
  await event('verified')
  const answered = new Promise<Buffer>((resolve) => peer.socket.once('pong', resolve))
  peer.socket.ping(Buffer.from('42'))
  expect((await answered).toString()).toBe('42')
})
