import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { MAX_RUNNING, MAX_RUNNING_BYTES } from '../../src/exchanges/running-exchanges.ts'
import { Bridge, call, envelope, notification, request } from '../support/exchanges.ts'
import { FakeServer, tokenOf } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

function setUp() {
  const server = new FakeServer()
  return { server, bridge: new Bridge(server, 'fake') }
}

const session = { id: 's', traits: [] }

test('[EXCH.26] refuses requests beyond its limit, and takes others when some have ended', async () => {
  const { server, bridge } = setUp()
  for (let at = 0; at < MAX_RUNNING; at++) bridge.open({ message: call('t', {}, at) })
  const instance = server.instance()
  await until(() => instance.received.length === MAX_RUNNING)
  expect(await bridge.ask({ message: call('t') })).toMatchObject({ status: 503, code: 'too_many_calls' })
  instance.received[0]?.answer({})
  await bridge.end('exchange-1')
  bridge.open({ message: call('t') })
  await until(() => instance.received.length === MAX_RUNNING + 1)
})

test('[EXCH.26] refuses requests once those in flight hold its limit of bytes', async () => {
  const { bridge } = setUp()
  const text = 'x'.repeat(MAX_RUNNING_BYTES / 4)
  for (let at = 0; at < 3; at++) bridge.open({ message: call('t', { text }) })
  expect(await bridge.ask({ message: call('t', { text: `${text}x` }) })).toMatchObject({
    code: 'too_many_calls',
  })
})

test('[EXCH.26] refuses what is no request, and parameters that two parsers read differently', async () => {
  const { server, bridge } = setUp()
  const texts = [
    '1',
    '[]',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","method":"a"}',
    '{"jsonrpc":"2.0","id":null,"method":"a"}',
    '{"jsonrpc":"2.0","id":{},"method":"a"}',
    '{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}',
  ]
  for (const text of texts)
    expect(await bridge.ask({ message: Buffer.from(text) })).toMatchObject({
      status: 400,
      code: 'request_invalid',
    })
  expect(await bridge.ask({})).toMatchObject({ code: 'request_invalid' })
  const twice = [
    '{"_meta":{"progressToken":1,"progressToken":2}}',
    '{"_meta":{"progressToken":1},"_m\\u0065ta":{"progressToken":2}}',
  ]
  for (const params of twice)
    expect(
      await bridge.ask({ message: Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"a","params":${params}}`) }),
    ).toMatchObject({ status: 400, code: 'params_invalid' })
  expect(server.started).toEqual([])
})

test('[EXCH.26] ignores a frame that repeats an id in use', async () => {
  const { server, bridge } = setUp()
  const first = bridge.open({ id: 'same', session, message: call('t', { at: 1 }) })
  bridge.open({ id: 'same', client: 'eve', message: call('t', { at: 2 }) })
  const instance = server.instance()
  await until(() => instance.received.length > 0)
  instance.received[0]?.answer({ at: 1 })
  expect(await bridge.end(first)).toMatchObject({ json: { result: { at: 1 } } })
  bridge.open({ id: 'same', kind: 'stream', client: 'eve', session: { id: 'e', traits: [] } })
  expect(instance.received).toHaveLength(1)
  expect(bridge.frames.filter(({ type }) => type === 'end')).toHaveLength(1)
})

test('[EXCH.27] says why a server cannot answer', async () => {
  const { server, bridge } = setUp()
  const ask = (name = 'fake') => bridge.ask({ server: name, message: call('t') })
  expect(await ask('none')).toMatchObject({ status: 404, code: 'server_not_found' })
  const broken = await ask('broken')
  expect(broken).toMatchObject({ status: 503, code: 'server_unavailable' })
  expect(broken.error).toContain('It does not start.')

  server.fault = { fault: 'era' }
  expect(await ask()).toMatchObject({ status: 400, code: 'era_unsupported' })
  server.fault = undefined
  const id = bridge.open({ message: call('t') })
  const instance = server.instance()
  await until(() => instance.received.length > 0)
  instance.end()
  expect(await bridge.end(id)).toMatchObject({ status: 502, code: 'server_exited' })
})

test('[EXCH.27] passes on that an answer is too large or cannot be read', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const settle = async (at: number) => {
    const id = bridge.open({ message: call('t') })
    await until(() => instance.received.length > at)
    return { id, received: instance.received[at] }
  }
  const invalid = await settle(0)
  invalid.received?.settle({
    kind: 'invalid',
    code: 'result_invalid',
    detail: 'it is odd',
    text: Buffer.from(''),
  })
  expect(await bridge.end(invalid.id)).toMatchObject({ status: 502, code: 'result_invalid' })
  const full = await settle(1)
  full.received?.settle({ kind: 'full' })
  expect(await bridge.end(full.id)).toMatchObject({ status: 503, code: 'too_many_calls' })
})

test('[EXCH.28] gives no caller the progress, the cancellation or the task of another', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const open = (client: string, id: string) =>
    bridge.open({ client, session: { id, traits: [] }, message: call('t', {}, 1, { progressToken: 1 }) })
  const [ann, eve] = [open('ann', 'a'), open('eve', 'e')]
  const [first, second] = await until(() => (instance.received.length === 2 ? instance.received : undefined))
  expect(tokenOf(first)).not.toBe(tokenOf(second))
  instance.says('notifications/progress', { progressToken: tokenOf(first), progress: 1 })
  for (const progressToken of [99, '', 'x', {}, null, true])
    instance.says('notifications/progress', { progressToken, progress: 1 })
  expect([ann, eve].map((id) => bridge.messages(id).length)).toEqual([1, 0])

  const cancel = notification('notifications/cancelled', { requestId: 1 })
  await bridge.note({ client: 'eve', session: { id: 'e', traits: [] }, message: cancel })
  await bridge.note({ client: 'eve', message: cancel })
  expect([first?.signal.aborted, second?.signal.aborted]).toEqual([false, true])
})

test('[EXCH.21] passes progress whose token the server returns as text or as a fraction', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const session = { id: 'a', traits: [] }
  const id = bridge.open({ session, message: call('t', {}, 1, { progressToken: 'own' }) })
  const [received] = await until(() => (instance.received.length === 1 ? instance.received : undefined))
  instance.says('notifications/progress', { progressToken: String(tokenOf(received)), progress: 1 })
  const params = Buffer.from(`{"progressToken":${tokenOf(received)}.0,"progress":2}`)
  const raw = Buffer.from(`{"jsonrpc":"2.0","method":"notifications/progress","params":${params}}`)
  instance.onMessage({ method: 'notifications/progress', id: undefined, params, raw })
  expect(bridge.messages(id).map(({ json }) => json.params)).toEqual([
    { progressToken: 'own', progress: 1 },
    { progressToken: 'own', progress: 2 },
  ])
})

test('[EXCH.28] cancels a request without a session only if its client has one with that id', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const open = (id: number, client = 'ann') => bridge.open({ client, message: call('t', {}, id) })
  for (const [id, client] of [[1], [2], [2], [1, 'eve']] as const) open(id, client)
  await until(() => instance.received.length === 4)
  for (const requestId of [1, 2])
    await bridge.note({ message: notification('notifications/cancelled', { requestId }) })
  expect(instance.received.map(({ signal }) => signal.aborted)).toEqual([true, false, false, false])
})

test('[EXCH.28] distinguishes ids beyond 53 bits, and ignores a cancellation without an id', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const session = { id: 's', traits: [] }
  const message = (id: string) => Buffer.from(`{"jsonrpc":"2.0","id":${id},"method":"x"}`)
  for (const id of ['12345678901234567890', '12345678901234567891', '1e400', '2e400'])
    bridge.open({ session, message: message(id) })
  await until(() => instance.received.length === 4)
  for (const params of ['null', '[]', '{}', '{"requestId":null}', '{"requestId":12345678901234567891}'])
    await bridge.note({
      session,
      message: Buffer.from(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`),
    })
  expect(instance.received.map(({ signal }) => signal.aborted)).toEqual([false, true, false, false])
})

test('[EXCH.29] keeps a task for the caller that began it', async () => {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const begin = async (of: string) => {
    const at = instance.received.length
    const params = { name: 't', arguments: {}, task: { ttl: 1 }, _meta: { progressToken: 'p' } }
    const id = bridge.open({ session: { id: of, traits: [] }, message: request('tools/call', params) })
    const received = await until(() => instance.received[at])
    received.answer({ task: { taskId: `task of ${of}`, status: 'working' } })
    await bridge.end(id)
    return tokenOf(received)
  }
  const token = await begin('a')
  await begin('b')
  expect(instance.holds).toBe(2)
  const about = (of: string, method: string, taskId?: string) =>
    bridge.open({
      session: { id: of, traits: [] },
      message: request(method, taskId === undefined ? {} : { taskId }),
    })

  const foreign = about('b', 'tasks/get', 'task of a')
  await until(() => instance.received.length === 3)
  expect(instance.received[2]?.params).not.toEqual({ taskId: 'task of a' })
  instance.received[2]?.answer({})
  expect(await bridge.end(foreign)).toMatchObject({ json: { error: { code: -32_602 } } })
  const list = about('a', 'tasks/list')
  await until(() => instance.received.length === 4)
  instance.received[3]?.answer({
    tasks: ['a', 'b'].map((of) => ({ taskId: `task of ${of}` })),
    nextCursor: 'n',
  })
  expect(await bridge.end(list)).toMatchObject({
    json: { result: { tasks: [{ taskId: 'task of a' }], nextCursor: 'n' } },
  })

  const result = about('a', 'tasks/result', 'task of a')
  await until(() => instance.received.length === 5)
  const related = { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'task of a' } } }
  instance.says('elicitation/create', related, 'e')
  expect(bridge.messages(result).map(({ json }) => json.method)).toEqual(['elicitation/create'])
  instance.received[4]?.answer({})
  await bridge.end(result)

  const [a, b] = ['a', 'b'].map((of) => bridge.open({ kind: 'stream', session: { id: of, traits: [] } }))
  instance.says('notifications/tasks/status', { taskId: 'task of a', status: 'completed' })
  instance.says('notifications/progress', { progressToken: token, progress: 1 })
  instance.says('sampling/createMessage', related, 'f')
  expect(bridge.messages(a as string).map(({ json }) => json.method)).toEqual([
    'notifications/cancelled',
    'notifications/tasks/status',
    'notifications/progress',
    'sampling/createMessage',
  ])
  expect(bridge.messages(a as string)[2]?.json.params).toEqual({ progressToken: 'p', progress: 1 })
  expect(bridge.messages(b as string)).toEqual([])
})

test('[EXCH.24] compares headers Mcp-Param with the arguments, and answers 400 if they differ', async () => {
  const { server, bridge } = setUp()
  const property = (header: string, type = 'string') => ({ type, 'x-mcp-header': header })
  server.schemas.t = {
    type: 'object',
    properties: {
      region: property('Region'),
      count: property('Count', 'integer'),
      deep: { properties: { on: property('On', 'boolean') } },
    },
  }
  const ask = (args: object, params?: Record<string, string>, name = 't') =>
    bridge.open({
      ...{ era: '2026', params },
      message: request('tools/call', { name, arguments: args, _meta: envelope() }),
    })
  const refused = [
    ask({ region: 'eu' }),
    ask({ region: 'eu' }, { region: 'us' }),
    ask({ region: 'eu' }, { region: '=?base64?%%?=' }),
    ask({ count: 42 }, { count: '43' }),
    ask({ deep: { on: true } }, { on: 'false' }),
    ask({ region: '' }),
  ]
  for (const id of refused)
    expect(await bridge.end(id)).toMatchObject({ status: 400, json: { error: { code: -32_020 } } })

  const passed = [
    ask({}),
    ask({ region: null }, { region: 'us' }),
    ask({ region: 'eu' }, { region: 'eu' }),
    ask({ region: 'Zürich' }, { region: `=?base64?${Buffer.from('Zürich').toString('base64')}?=` }),
    ask({ count: 42 }, { count: '42.0' }),
    ask({ deep: { on: true } }, { on: 'true' }),
    ask({ region: 'eu' }, undefined, 'unknown'),
  ]
  await until(() => server.instance('2026').received.length === passed.length)
})

test('[EXCH.23] answers for methods that the 2026 era does not have', async () => {
  const { server, bridge } = setUp()
  for (const method of [
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'resources/unsubscribe',
  ])
    expect(await bridge.ask({ era: '2026', message: request(method) })).toMatchObject({
      ...{ status: 404, json: { error: { code: -32_601 } } },
    })
  expect(server.started).toEqual([])
})

test('[EXCH.23] gives a 2025 caller every JSON-RPC error with status 200', async () => {
  const { server, bridge } = setUp()
  const id = bridge.open({ message: call('t') })
  const instance = server.instance()
  await until(() => instance.received.length > 0)
  const rpcError = Buffer.from('{ "code": -32601, "message": "no" }')
  instance.received[0]?.settle({ kind: 'rpc-error', message: 'no', rpcError })
  const end = await bridge.end(id)
  expect(end.status).toBe(200)
  expect(end.message?.toString()).toBe('{"jsonrpc":"2.0","id":1,"error":{ "code": -32601, "message": "no" }}')
})

test('[EXCH.25] keeps a subscription of the 2026 era open, under the id of the caller', async () => {
  const { server, bridge } = setUp()
  const key = 'io.modelcontextprotocol/subscriptionId'
  const listen = (id: unknown) =>
    bridge.open({ era: '2026', message: request('subscriptions/listen', { notifications: {} }, id) })
  const ids = [listen('mine'), listen('mine')]
  const instance = server.instance('2026')
  const [first, second] = await until(() => (instance.received.length === 2 ? instance.received : undefined))
  for (const id of [first?.id, String(first?.id)])
    instance.says('notifications/tools/list_changed', { _meta: { [key]: id } })
  expect(ids.map((id) => bridge.messages(id).length)).toEqual([2, 0])
  expect(bridge.messages(ids[0] as string)[0]?.json.params).toEqual({ _meta: { [key]: 'mine' } })

  bridge.send('cancel', ids[0] as string)
  expect(first?.signal.aborted).toBe(true)
  second?.answer({ _meta: { [key]: second.id } })
  expect(await bridge.end(ids[1] as string)).toMatchObject({
    json: { id: 'mine', result: { _meta: { [key]: 'mine' } } },
  })
})

test('[EXCH.26] drops a message for which the connection has no room, and says so of an answer', async () => {
  const { server, bridge } = setUp()
  const id = bridge.open({ session, message: call('t', {}, 1, { progressToken: 1 }) })
  const instance = server.instance()
  const [received] = await until(() => (instance.received.length > 0 ? instance.received : undefined))
  const text = 'x'.repeat(limits.messageBytes)
  bridge.isFull = true
  instance.says('notifications/progress', { progressToken: tokenOf(received), message: text })
  expect(bridge.messages(id)).toEqual([])
  received?.answer({ text })
  expect(await bridge.end(id)).toMatchObject({ code: 'result_too_large' })
})
