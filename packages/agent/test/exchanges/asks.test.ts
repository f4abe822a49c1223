import { expect, test } from 'vitest'
import {
  MAX_ASKS,
  MAX_CLIENT_ASKS,
  MAX_ELICITATION_CHARS,
  MAX_ELSEWHERE,
  MAX_SESSION_ASKS,
} from '../../src/exchanges/asks.ts'
import { Bridge, call, notification, request } from '../support/exchanges.ts'
import { type FakeInstance, FakeServer, type Received } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

const ASK = 'sampling/createMessage'
const TRAITS: ('elicitation-url' | 'roots' | 'sampling')[] = ['elicitation-url', 'sampling']
const session = (id: string, traits = TRAITS) => ({ id, traits })

interface Asking {
  readonly server: FakeServer
  readonly bridge: Bridge
  readonly instance: FakeInstance
  /** The exchange that may be asked. */
  readonly id: string
  readonly received: Received
}

/** A call of a client that can be asked. */
async function asking(
  server = new FakeServer(),
  bridge = new Bridge(server, 'fake'),
  of = 'a',
  client = 'ann',
): Promise<Asking> {
  const instance = server.instance('2025', ...TRAITS)
  const at = instance.received.length
  const id = bridge.open({ client, session: session(of), message: call('t') })
  return { server, bridge, instance, id, received: await until(() => instance.received[at]) }
}

const answer = (bridge: Bridge, id: unknown, of = 'a', client = 'ann') =>
  bridge.note({ client, session: session(of), message: { jsonrpc: '2.0', id, result: { text: 'yes' } } })

test('[ASK.1] hides the id of the server from the client, and restores it in the answer', async () => {
  const { bridge, instance, id } = await asking()
  instance.says(ASK, { maxTokens: 1.0, _meta: { progressToken: 5 } }, 'same')
  instance.says(ASK, { maxTokens: 2 }, 7)
  const asks = bridge.messages(id).map(({ json }) => json)
  expect(asks).toMatchObject([
    { method: ASK, params: { maxTokens: 1, _meta: { progressToken: 5 } } },
    { method: ASK, params: { maxTokens: 2 } },
  ])
  for (const { id: given } of asks) expect(given).toMatch(/^[\w-]{24}$/)
  await bridge.note({
    session: session('a'),
    message: [
      notification('notifications/progress', { progressToken: 5, progress: 1 }),
      { jsonrpc: '2.0', id: asks[1]?.id, error: { code: -1, message: 'no' } },
      { jsonrpc: '2.0', id: asks[0]?.id, result: { text: 'yes' } },
    ],
  })
  expect(instance.notified).toEqual([
    { method: 'notifications/progress', params: { progressToken: 5, progress: 1 } },
  ])
  expect(instance.answered).toEqual([
    { id: 7, member: 'error', value: { code: -1, message: 'no' } },
    { id: 'same', member: 'result', value: { text: 'yes' } },
  ])
})

test('[ASK.2] asks the holder of the lease, although others have requests at the same process', async () => {
  const { server, bridge, instance, id } = await asking()
  const list = bridge.open({ session: session('b'), message: request('tools/list') })
  await until(() => instance.received.length === 2)
  expect(server.ownerOf(instance)).toBeDefined()
  instance.says(ASK, {}, 1)
  expect(bridge.messages(id)).toHaveLength(1)
  expect(bridge.messages(list)).toEqual([])
})

test('[ASK.2] refuses a request of a server that may be meant for several clients, or for none', async () => {
  const { server, bridge, instance, received, id } = await asking()
  const list = bridge.open({ session: session('b'), message: request('tools/list') })
  await until(() => instance.received.length === 2)
  instance.owner = undefined
  instance.says(ASK, {}, 1)
  received.answer({})
  instance.received[1]?.answer({})
  await Promise.all([bridge.end(id), bridge.end(list)])
  instance.says(ASK, {}, 2)
  server.instance().says(ASK, {}, 3)

  expect([...instance.answered, ...server.instance().answered]).toMatchObject([
    { id: 1, member: 'error', value: { code: -32_603 } },
    { id: 2, member: 'error', value: { code: -32_603 } },
  ])
  expect(bridge.messages(id)).toEqual([])
})

test('[ASK.2] asks no client that reads no stream, or has no session', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const opened = [{ streams: false, session: session('a', []) }, {}]
  for (const [at, each] of opened.entries()) {
    const id = bridge.open({ ...each, message: call('t') })
    const received = await until(() => server.instance().received[at])
    server.instance().says(ASK, {}, at)
    received.answer({})
    await bridge.end(id)
    expect(bridge.messages(id)).toEqual([])
  }
  expect(server.instance().answered).toMatchObject([
    { id: 0, member: 'error' },
    { id: 1, member: 'error' },
  ])
})

test('[ASK.2] asks no client that did not declare it, although it is the only one with a request', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const id = bridge.open({ session: session('a', []), message: call('t') })
  await until(() => server.instance().received[0])
  for (const [at, method] of [ASK, 'elicitation/create'].entries()) server.instance().says(method, {}, at)
  expect(bridge.messages(id)).toEqual([])
  const refused = { member: 'error', value: { code: -32_601 } }
  expect(server.instance().answered).toMatchObject([0, 1].map((at) => ({ id: at, ...refused })))
})

test('[ASK.3] takes an answer only from the session that was asked, and only once', async () => {
  const { server, bridge, instance, id } = await asking()
  instance.says(ASK, {}, 1)
  const given = bridge.messages(id)[0]?.json.id
  // Begins the sessions of the others.
  bridge.open({ kind: 'stream', session: session('b') })

  await answer(bridge, given, 'b')
  await answer(bridge, given, 'a', 'eve')
  await bridge.note({ message: { jsonrpc: '2.0', id: given, result: {} } })
  for (const forged of [1, '1', null, 'x']) await answer(bridge, forged)
  expect(instance.answered).toEqual([])
  await answer(bridge, given)
  await answer(bridge, given)
  expect(instance.answered).toEqual([{ id: 1, member: 'result', value: { text: 'yes' } }])
  expect(server.started).toHaveLength(1)
})

test('[ASK.3] passes the progress of an answer only to the server that asked this session', async () => {
  const { bridge, instance } = await asking()
  instance.says(ASK, { _meta: { progressToken: 5 } }, 1)
  const progress = (of: string, progressToken: number) =>
    bridge.note({
      session: session(of),
      message: notification('notifications/progress', { progressToken, progress: 1 }),
    })
  await progress('b', 5)
  await progress('a', 6)
  expect(instance.notified).toEqual([])
})

test('[ASK.4] tells the client that the server no longer waits', async () => {
  const { bridge, instance, id } = await asking()
  instance.says(ASK, {}, 'x')
  instance.says('notifications/cancelled', { requestId: 'x', reason: 'late' })
  const [ask, cancelled] = bridge.messages(id)
  expect(cancelled?.json).toEqual(
    notification('notifications/cancelled', { requestId: ask?.json.id, reason: 'late' }),
  )
  await answer(bridge, ask?.json.id)
  expect(instance.answered).toEqual([])
})

test('[ASK.4] refuses what a server asked once its request is over, or the session', async () => {
  const { server, bridge, instance, id, received } = await asking()
  instance.says(ASK, {}, 1)
  received.answer({})
  await bridge.end(id)
  const other = await asking(server, bridge, 'b')
  instance.says(ASK, {}, 2)
  await bridge.ask({ kind: 'delete', session: session('b') })
  expect(other.received.signal.aborted).toBe(true)
  expect(instance.answered).toMatchObject([
    { id: 1, member: 'error' },
    { id: 2, member: 'error' },
  ])
})

test('[ASK.4] withdraws a question once the server has answered, but not if its client cancelled', async () => {
  const { server, bridge, instance, id, received } = await asking()
  const stream = bridge.open({ kind: 'stream', session: session('a') })
  instance.says(ASK, {}, 1)
  received.answer({})
  await bridge.end(id)
  const other = await asking(server, bridge)
  instance.says(ASK, {}, 2)
  bridge.exchanges.receive({ type: 'cancel', id: other.id })
  const requestId = bridge.messages(id)[0]?.json.id
  expect(bridge.messages(stream).map(({ json }) => json.params)).toMatchObject([{ requestId }])
})

test('[ASK.5] repeats a question for a client that reads its stream on', async () => {
  const { bridge, instance, id } = await asking()
  bridge.exchanges.disconnected()
  instance.says(ASK, {}, 1)
  bridge.connect()
  const resumed = bridge.open({ kind: 'stream', session: session('a'), resume: { id, after: 0 } })
  await answer(bridge, bridge.messages(resumed)[0]?.json.id)
  expect(instance.answered).toMatchObject([{ id: 1, member: 'result' }])
})

test('[ASK.6] bounds the questions that wait, for each session, each client and the machine', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const refusedOf = async (of: string, client: string): Promise<number> => {
    const { instance } = await asking(server, bridge, of, client)
    const before = instance.answered.length
    for (let count = 0; count <= MAX_SESSION_ASKS; count++) instance.says(ASK, {}, `${of} ${count}`)
    return instance.answered.length - before
  }
  const perClient = MAX_CLIENT_ASKS / MAX_SESSION_ASKS
  for (let client = 0; client < MAX_ASKS / MAX_CLIENT_ASKS; client++) {
    for (let at = 0; at < perClient; at++)
      expect(await refusedOf(`s${client} ${at}`, `client ${client}`)).toBe(1)
    if (client === 0) expect(await refusedOf('more', 'client 0')).toBe(MAX_SESSION_ASKS + 1)
  }
  expect(await refusedOf('last', 'ann')).toBe(MAX_SESSION_ASKS + 1)
})

test('[ASK.8] remembers the page of a client although another one is sent to many', async () => {
  const { server, bridge, instance, id } = await asking()
  const says = (elicitationId: string) =>
    instance.says('elicitation/create', { mode: 'url', elicitationId, url: 'https://x' }, elicitationId)
  says('own')
  await answer(bridge, bridge.messages(id)[0]?.json.id)
  const eve = await asking(server, bridge, 'e', 'eve')
  for (let at = 0; at <= MAX_ELSEWHERE; at++) {
    says(String(at))
    await answer(bridge, bridge.messages(eve.id)[at]?.json.id, 'e', 'eve')
  }
  const stream = bridge.open({ kind: 'stream', session: session('a') })
  instance.says('notifications/elicitation/complete', { elicitationId: 'own' })
  expect(bridge.messages(stream)).toHaveLength(1)
})

test.each([
  [{ kind: 'none' } as const, []],
  [{ kind: 'fixed', uris: ['file:///work'] } as const, [{ uri: 'file:///work' }]],
])('[ASK.7] answers for roots itself, also before the first request: %j', (policy, roots) => {
  const server = new FakeServer()
  server.roots = policy
  const bridge = new Bridge(server, 'fake')
  const instance = policy.kind === 'fixed' ? server.instance('2025', 'roots') : server.instance()
  bridge.exchanges.adopt(server, instance)
  instance.says('roots/list', undefined, 1)
  expect(instance.answered).toEqual([{ id: 1, member: 'result', value: { roots } }])
})

test('[ASK.7] asks the client for its roots only if the config file says so', async () => {
  const server = new FakeServer()
  server.roots = { kind: 'client' }
  const bridge = new Bridge(server, 'fake')
  const traits = session('a', ['roots'])
  const instance = server.instance('2025', 'roots')
  await bridge.ask({ session: traits, message: request('initialize', { protocolVersion: '2025-11-25' }) })
  // Servers ask between requests, too: then the only client is asked.
  instance.says('roots/list', undefined, 1)
  const stream = bridge.open({ kind: 'stream', session: traits })
  const { json } = await bridge.message(stream)
  expect(json.method).toBe('roots/list')
  const roots = [{ uri: 'file:///home' }]
  await bridge.note({ session: traits, message: { jsonrpc: '2.0', id: json.id, result: { roots } } })
  expect(instance.answered).toEqual([{ id: 1, member: 'result', value: { roots } }])
  await bridge.note({ session: traits, message: notification('notifications/roots/list_changed') })
  await until(() => instance.notified.length > 0)

  bridge.open({ kind: 'stream', session: session('b', ['roots']) })
  void bridge.ask({ session: session('b', ['roots']), message: request('tools/list') })
  await until(() => instance.received.length > 0)
  instance.received[0]?.answer({})
  await until(() => bridge.events.some(({ type }) => type === 'request-finished'))
  instance.says('roots/list', undefined, 2)
  await until(() => instance.answered.length === 2)
  expect(instance.answered[1]).toMatchObject({ member: 'error' })
})

test('[ASK.8] tells only the client that was sent to a page that the user is done there', async () => {
  const { bridge, instance, id, received, server } = await asking()
  instance.says('elicitation/create', { mode: 'url', elicitationId: 'e1', url: 'https://x' }, 1)
  await answer(bridge, bridge.messages(id)[0]?.json.id)
  received.answer({})
  await bridge.end(id)
  const other = await asking(server, bridge, 'b')
  instance.says('notifications/elicitation/complete', { elicitationId: 'e1' })
  expect(bridge.messages(other.id)).toEqual([])
  const stream = bridge.open({ kind: 'stream', session: session('a') })
  expect(bridge.messages(stream)[0]?.json.params).toEqual({ elicitationId: 'e1' })
})

test('[ASK.8] tells apart elicitations of two processes that have one id', async () => {
  const { bridge, instance, id, server } = await asking()
  const other = session('b', ['elicitation-url'])
  const otherId = bridge.open({ session: other, message: call('t') })
  const otherInstance = server.instance('2025', ...other.traits)
  await until(() => otherInstance.received[0])
  for (const each of [instance, otherInstance])
    each.says('elicitation/create', { mode: 'url', elicitationId: '1', url: 'https://x' }, 1)
  const streams = [session('a'), other].map((of) => bridge.open({ kind: 'stream', session: of }))
  instance.says('notifications/elicitation/complete', { elicitationId: '1' })
  expect(streams.map((stream) => bridge.messages(stream).length)).toEqual([1, 0])
  expect([id, otherId].map((each) => bridge.messages(each).length)).toEqual([1, 1])
})

/** Sends a client to a page, and ends the process that did so. @returns the client's stream of other messages */
async function sentAway(server: FakeServer, bridge: Bridge, of: string): Promise<string> {
  const { instance, received } = await asking(server, bridge, of)
  instance.says('elicitation/create', { mode: 'url', elicitationId: '1', url: 'https://x' }, 1)
  received.answer({})
  instance.end()
  await until(() => server.instance('2025', ...TRAITS) !== instance)
  return bridge.open({ kind: 'stream', session: session(of) })
}

const COMPLETE = 'notifications/elicitation/complete'

test('[ASK.8] tells a client that its user is done, although another process of the server says so', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const stream = await sentAway(server, bridge, 'a')
  const { instance, id } = await asking(server, bridge, 'b')
  instance.says(COMPLETE, { elicitationId: '2' })
  instance.says(COMPLETE, { elicitationId: '1' })
  expect(bridge.messages(stream).map(({ json }) => json.params)).toEqual([{ elicitationId: '1' }])
  expect(bridge.messages(id)).toEqual([])
})

test('[ASK.8] tells nobody if ended processes sent several clients away under one id', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const streams = [await sentAway(server, bridge, 'a'), await sentAway(server, bridge, 'b')]
  ;(await asking(server, bridge, 'c')).instance.says(COMPLETE, { elicitationId: '1' })
  expect(streams.flatMap((stream) => bridge.messages(stream))).toEqual([])
})

test('[ASK.8] takes an id for that of the process itself, also after its session has ended', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const stream = await sentAway(server, bridge, 'a')
  const { instance } = await asking(server, bridge, 'b')
  instance.says('elicitation/create', { mode: 'url', elicitationId: '1', url: 'https://x' }, 1)
  await bridge.ask({ kind: 'delete', session: session('b') })
  instance.says(COMPLETE, { elicitationId: '1' })
  expect(bridge.messages(stream)).toEqual([])
})

test('[ASK.8] remembers elicitations with ids of up to 1,024 characters', async () => {
  const { bridge, instance } = await asking()
  const stream = bridge.open({ kind: 'stream', session: session('a') })
  const ids = [MAX_ELICITATION_CHARS, MAX_ELICITATION_CHARS + 1].map((length) => 'x'.repeat(length))
  for (const elicitationId of ids) {
    instance.says(
      'elicitation/create',
      { mode: 'url', elicitationId, url: 'https://x' },
      elicitationId.length,
    )
    instance.says(COMPLETE, { elicitationId })
  }
  expect(bridge.messages(stream).map(({ json }) => json.params)).toEqual([{ elicitationId: ids[0] }])
})

test('[ASK.8] tells nobody if one of several clients that were sent away has left', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const stream = await sentAway(server, bridge, 'a')
  await sentAway(server, bridge, 'b')
  await bridge.ask({ kind: 'delete', session: session('b') })
  ;(await asking(server, bridge, 'c')).instance.says(COMPLETE, { elicitationId: '1' })
  expect(bridge.messages(stream)).toEqual([])
})

test('[ASK.9] passes an answer with one meaning on, and replaces any other by an error', async () => {
  const { bridge, instance, id } = await asking()
  const UNREADABLE = { code: -32_603, message: 'The answer of the client cannot be read.' }
  const error = { code: -1, message: 'no', data: 1 }
  const answers: [object, object][] = [
    [{ result: { text: 'yes' }, error: null, method: null, params: null }, { text: 'yes' }],
    [{ result: null, error }, error],
    [{ result: null }, UNREADABLE],
    [{ result: null, error: null }, UNREADABLE],
    [{ result: [1] }, UNREADABLE],
    [{ error: 'no' }, UNREADABLE],
    [{ error: { message: 'no' } }, UNREADABLE],
    [{ error: { code: 1.5, message: 'no' } }, UNREADABLE],
    [{ error: { code: -1 } }, UNREADABLE],
  ]
  for (const [at, [members]] of answers.entries()) {
    instance.says(ASK, {}, at)
    const asked = await bridge.message(id, at + 1)
    await bridge.note({ session: session('a'), message: { jsonrpc: '2.0', id: asked.json.id, ...members } })
  }
  expect(instance.answered).toEqual(
    answers.map(([, value], at) => ({ id: at, member: 'text' in value ? 'result' : 'error', value })),
  )
})
