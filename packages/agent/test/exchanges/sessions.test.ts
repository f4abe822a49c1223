import { expect, test } from 'vitest'
import { MAX_SESSIONS } from '../../src/exchanges/sessions.ts'
import { MAX_SUBSCRIBED_CHARS } from '../../src/exchanges/subscriptions.ts'
import { Bridge, call, notification, request } from '../support/exchanges.ts'
import { FakeServer } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

const LOG = 'notifications/message'
const UPDATED = 'notifications/resources/updated'

interface Setup {
  readonly server: FakeServer
  readonly bridge: Bridge
}

function setUp(): Setup {
  const server = new FakeServer()
  return { server, bridge: new Bridge(server, 'fake') }
}

const session = (id: string) => ({ id, traits: [] })
const initialize = request('initialize', { protocolVersion: '2025-11-25', capabilities: {} })

/** Sends a request that the agent answers itself. */
const choose = (bridge: Bridge, id: string, method: string, params: object) =>
  bridge.ask({ session: session(id), message: request(method, params) })

test('[SESS.21] creates a session that it does not know, and keeps it for the client', async () => {
  const { server, bridge } = setUp()
  const id = bridge.open({ session: session('s'), message: call('t') })
  const received = await until(() => server.instance().received[0])
  const foreign = await bridge.ask({ client: 'eve', session: session('s'), message: call('t') })
  expect(foreign).toMatchObject({ status: 404, code: 'session_unknown' })
  received.answer({})
  expect(await bridge.end(id)).toMatchObject({ status: 200 })
})

test('[SESS.21] refuses a session that has ended, and cancels what runs in it', async () => {
  const { server, bridge } = setUp()
  await bridge.ask({ session: session('s'), message: initialize })
  const id = bridge.open({ session: session('s'), message: call('t') })
  const received = await until(() => server.instance().received[0])
  const foreign = await bridge.ask({ kind: 'delete', client: 'eve', session: session('s') })
  expect(foreign).toMatchObject({ status: 404, code: 'session_unknown' })
  expect(received.signal.aborted).toBe(false)

  expect(await bridge.ask({ kind: 'delete', session: session('s') })).toMatchObject({ status: 200 })
  expect(received.signal.aborted).toBe(true)
  expect(await bridge.end(id)).toMatchObject({ code: 'call_cancelled' })
  for (const kind of ['request', 'note', 'stream', 'delete'] as const) {
    const end = await bridge.ask({ kind, session: session('s'), message: call('t') })
    expect(end).toMatchObject({ status: 404, code: 'session_unknown' })
  }
})

test('[SESS.21] begins no session if the server cannot be initialized', async () => {
  const { server, bridge } = setUp()
  server.fault = { fault: 'unavailable', reason: 'It does not start.' }
  const end = await bridge.ask({ session: session('s'), message: initialize })
  expect(end).toMatchObject({ status: 503, code: 'server_unavailable' })
  expect(end.error).toContain('It does not start.')
  // Another client may still begin it.
  server.fault = undefined
  const other = await bridge.ask({ client: 'bob', session: session('s'), message: initialize })
  expect(other).toMatchObject({ status: 200 })
})

test('[SESS.22] forgets the idle session that was used longest ago, and none that is in use', async () => {
  const { bridge } = setUp()
  const open = (at: number, client = 'ann') =>
    bridge.open({ kind: 'stream', client, session: session(`s${at}`) })
  for (let at = 0; at < MAX_SESSIONS; at++) open(at)
  expect(await bridge.end(open(MAX_SESSIONS))).toMatchObject({ status: 503, code: 'too_many_calls' })

  bridge.send('detach', 'exchange-6')
  bridge.send('detach', 'exchange-3')
  open(MAX_SESSIONS + 1)
  // The session of exchange 3 is forgotten, so another client may take its id.
  const isForgotten = (at: number) =>
    bridge.ask({ kind: 'note', client: 'bob', session: session(`s${at}`), message: [] })
  expect(await isForgotten(5)).toMatchObject({ code: 'session_unknown' })
  expect(await isForgotten(2)).not.toMatchObject({ code: 'session_unknown' })
})

test('[SESS.22] forgets no session of a client with few when another client has too many', async () => {
  const { bridge, server } = setUp()
  const open = async (client: string, id: string) => {
    const stream = bridge.open({ kind: 'stream', client, session: session(id) })
    bridge.send('detach', stream)
    return stream
  }
  await open('ann', 'own')
  const called = bridge.open({ client: 'ann', session: session('own'), message: call('t') })
  const received = await until(() => server.instance().received[0])
  bridge.send('detach', called)
  received.answer({})
  await until(() => bridge.events.some(({ type }) => type === 'call-finished'))
  for (let at = 0; at <= MAX_SESSIONS; at++) await open('eve', `s${at}`)
  const resume = { id: called, after: 0 }
  const resumed = bridge.open({ kind: 'stream', client: 'ann', session: session('own'), resume })
  expect(await bridge.end(resumed)).toMatchObject({ json: { result: {} } })
})

test('[SESS.23] gives the server the most verbose level of its clients, and each client what it chose', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  await choose(bridge, 'a', 'logging/setLevel', { level: 'error' })
  await choose(bridge, 'b', 'logging/setLevel', { level: 'debug' })
  await choose(bridge, 'c', 'logging/setLevel', { level: 'warning' })
  expect(instance.agentRequests.map(({ params }) => params)).toEqual([{ level: 'error' }, { level: 'debug' }])

  const logs = async (id: string) => {
    const at = instance.received.length
    const exchange = bridge.open({ session: session(id), message: call('t') })
    const received = await until(() => instance.received[at])
    for (const level of ['debug', 'warning', 'error']) instance.says(LOG, { level, data: level })
    received.answer({})
    await bridge.end(exchange)
    return bridge.messages(exchange).map(({ json }) => (json.params as { level: string }).level)
  }
  expect(await logs('a')).toEqual(['error'])
  expect(await logs('b')).toEqual(['debug', 'warning', 'error'])
  expect(await logs('c')).toEqual(['warning', 'error'])

  await bridge.ask({ kind: 'delete', session: session('b') })
  expect(instance.agentRequests.at(-1)?.params).toEqual({ level: 'warning' })
})

test('[SESS.23] shows a line of the log to no client if it may be that of another, but to the user', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const ids = ['a', 'b'].map((id) => bridge.open({ session: session(id), message: call('t') }))
  const [first] = await until(() => (instance.received.length === 2 ? instance.received : undefined))
  instance.says(LOG, { level: 'info', data: 'a secret of one of them' })
  expect(ids.flatMap((id) => bridge.messages(id))).toEqual([])
  expect(bridge.events).toContainEqual({
    ...{ type: 'server-log', name: 'fake', level: 'info', text: 'a *** of one of them' },
  })

  first?.answer({})
  await bridge.end(ids[0] as string)
  instance.says(LOG, { level: 'info', data: 'of the other' })
  expect(bridge.messages(ids[1] as string)).toHaveLength(1)
})

test('[SESS.23] shows a line of the log to no client while a call in the short form runs', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const id = bridge.open({ session: session('a'), message: call('t') })
  await until(() => instance.received[0])
  instance.hasShortCalls = true
  instance.says(LOG, { level: 'info', data: 'of the other' })
  instance.says('notifications/of/its/own', {})
  expect(bridge.messages(id)).toEqual([])
  instance.hasShortCalls = false
  instance.says(LOG, { level: 'info', data: 'its own' })
  expect(bridge.messages(id)).toHaveLength(1)
})

test('[SESS.24] subscribes once to what several clients watch, and unsubscribes after the last', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const [a, b] = ['a', 'b'].map((id) => bridge.open({ kind: 'stream', session: session(id) })) as [
    string,
    string,
  ]
  const sent = () => instance.agentRequests.map(({ method }) => method)
  const uri = 'file:///x'
  for (const id of ['a', 'b', 'a']) await choose(bridge, id, 'resources/subscribe', { uri })
  expect(sent()).toEqual(['resources/subscribe'])
  expect(instance.holds).toBe(1)

  instance.says(UPDATED, { uri })
  instance.says(UPDATED, { uri: 'file:///y' })
  expect([a, b].map((id) => bridge.messages(id).length)).toEqual([1, 1])
  expect(await choose(bridge, 'a', 'resources/unsubscribe', { uri })).toMatchObject({ json: { result: {} } })
  instance.says(UPDATED, { uri })
  expect([a, b].map((id) => bridge.messages(id).length)).toEqual([1, 2])
  expect(sent()).toEqual(['resources/subscribe'])
  await bridge.ask({ kind: 'delete', session: session('b') })
  expect(sent()).toEqual(['resources/subscribe', 'resources/unsubscribe'])
  expect(instance.holds).toBe(0)
})

test('[SESS.24] repeats level and subscriptions for a process that replaces another', async () => {
  const { server, bridge } = setUp()
  await choose(bridge, 'a', 'logging/setLevel', { level: 'debug' })
  await choose(bridge, 'a', 'resources/subscribe', { uri: 'file:///x' })
  server.instance().end()
  const next = await until(() => server.started[1])
  await until(() => next.agentRequests.length === 2)
  expect(next.agentRequests).toEqual([
    { method: 'logging/setLevel', params: { level: 'debug' } },
    { method: 'resources/subscribe', params: { uri: 'file:///x' } },
  ])
  expect(next.holds).toBe(1)
})

test.each([
  ['logging/setLevel', '{"level":"debug","level":"emergency"}'],
  ['logging/setLevel', '{"level":"EMERGENCY"}'],
  ['logging/setLevel', '{"level":["emergency"]}'],
  ['resources/unsubscribe', '{"uri":"x://own","uri":"x://ann"}'],
  ['resources/unsubscribe', '{"uri":["x://ann"]}'],
  ['resources/subscribe', '{"uri":"x://own","uri":"x://ann"}'],
])(
  '[SESS.24] sends no choice of a client to a server that other clients share: %s %s',
  async (method, params) => {
    const { server, bridge } = setUp()
    await choose(bridge, 'a', 'logging/setLevel', { level: 'info' })
    await choose(bridge, 'a', 'resources/subscribe', { uri: 'x://ann' })
    const message = Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`)
    const { json } = await bridge.ask({ session: session('b'), message })
    expect(json).toMatchObject({ error: { code: -32_602 } })
    expect(server.instance().agentRequests.map((sent) => sent.params)).toEqual([
      { level: 'info' },
      { uri: 'x://ann' },
    ])
  },
)

test('[SESS.24] bounds the characters of the URIs that a session subscribed to', async () => {
  const { server, bridge } = setUp()
  const subscribe = (id: string, uri: string) => choose(bridge, id, 'resources/subscribe', { uri })
  const half = 'x'.repeat(MAX_SUBSCRIBED_CHARS / 2)
  for (const uri of [`a${half.slice(1)}`, `b${half.slice(1)}`, `a${half.slice(1)}`])
    expect(await subscribe('a', uri)).toMatchObject({ json: { result: {} } })
  expect(await subscribe('a', 'c')).toMatchObject({ json: { error: { code: -32_602 } } })
  expect(await subscribe('b', 'c')).toMatchObject({ json: { result: {} } })
  expect(server.instance().agentRequests).toHaveLength(3)
})

test('[SESS.24] needs a session for a level and for subscriptions', async () => {
  const { bridge } = setUp()
  for (const method of ['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'])
    expect(await bridge.ask({ message: request(method, { uri: 'x' }) })).toMatchObject({
      ...{ status: 200, json: { error: { code: -32_600 } } },
    })
})

test('[SESS.26] tells every session of a server that its lists have changed', async () => {
  const { server, bridge } = setUp()
  const streams = ['a', 'b'].map((id) => {
    void bridge.open({ session: session(id), message: call('t') })
    return bridge.open({ kind: 'stream', session: session(id) })
  })
  const asking = bridge.open({ kind: 'stream', session: { id: 'c', traits: ['sampling'] } })
  void bridge.open({ session: { id: 'c', traits: ['sampling'] }, message: call('t') })
  await until(() => server.instance().received.length === 2)
  server.instance().says('notifications/tools/list_changed')
  expect(streams.map((id) => bridge.messages(id).length)).toEqual([1, 1])
  expect(bridge.messages(asking)).toEqual([])
})

test('[SESS.27] swallows what concerns the connection of the agent to the server', async () => {
  const { server, bridge } = setUp()
  for (const method of ['notifications/initialized', 'notifications/roots/list_changed'])
    expect(await bridge.note({ session: session('a'), message: notification(method) })).toMatchObject({
      status: 202,
    })
  await bridge.note({ session: session('a'), message: notification('notifications/other', { a: 1 }) })
  await until(() => server.instance().notified.length > 0)
  expect(server.instance().notified).toEqual([{ method: 'notifications/other', params: { a: 1 } }])
})
