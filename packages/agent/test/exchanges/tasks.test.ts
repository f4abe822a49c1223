import { expect, test } from 'vitest'
import {
  MAX_CLIENT_TASKS,
  MAX_TASK_ID_CHARS,
  MAX_TASKS,
  MAX_TOKEN_BYTES,
  TASK_MS,
} from '../../src/exchanges/tasks.ts'
import { Bridge, request } from '../support/exchanges.ts'
import { FakeServer, tokenOf } from '../support/fake-server.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { until } from '../support/until.ts'

function setUp() {
  const server = new FakeServer()
  const system = new FakeSystem()
  const bridge = new Bridge(server, 'fake', system)
  const instance = server.instance()
  let begun = 0
  /** Begins a task of this client. */
  const begin = async (client: string, taskId = `task ${++begun}`): Promise<string> => {
    const at = instance.received.length
    bridge.open({ client, message: request('tools/call', { name: 't', arguments: {}, task: {} }) })
    await system.advance(0)
    instance.received[at]?.answer({ task: { taskId } })
    await system.advance(0)
    return taskId
  }
  /** Whether a request about a task reaches the server as it is. A server asked about another task does not have it. */
  const reaches = async (client: string, method: string, params: object | Buffer): Promise<boolean> => {
    const at = instance.received.length
    const message = Buffer.isBuffer(params) ? params : request(method, params)
    const id = bridge.open({ client, message })
    await system.advance(0)
    const received = instance.received[at]
    received?.answer({})
    const { json } = await bridge.end(id)
    const isSame = JSON.stringify(received?.params) === JSON.stringify(params)
    if (!isSame || Object.keys(params).length === 0)
      expect(json).toMatchObject({ error: { code: -32_602, message: 'Task not found' } })
    return isSame
  }
  return { server, system, bridge, instance, begin, reaches }
}

test('[EXCH.29] refuses a task that is unknown, forgotten or ambiguous', async () => {
  const { system, begin, reaches } = setUp()
  const taskId = await begin('ann')
  expect(await reaches('ann', 'tasks/get', { taskId })).toBe(true)
  const twice = `{"taskId":"${taskId}","taskId":"other"}`
  const message = `{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":${twice}}`
  expect(await reaches('ann', '', Buffer.from(message))).toBe(false)
  for (const method of ['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel', 'tasks/any']) {
    for (const params of [{ taskId: 'other' }, { taskId: 1 }])
      expect(await reaches('ann', method, params)).toBe(false)
    await reaches('ann', method, {})
  }
  await system.advance(TASK_MS)
  expect(await reaches('ann', 'tasks/get', { taskId })).toBe(false)
})

test('[EXCH.29] refuses a task of others in the words of its server, about a task that nobody has', async () => {
  const { system, bridge, instance, begin } = setUp()
  const taskId = await begin('ann')
  const id = bridge.open({ client: 'eve', message: request('tasks/get', { taskId, more: 1 }) })
  await system.advance(0)
  const asked = instance.received.at(-1)
  expect(asked?.params).toEqual({ taskId: expect.not.stringContaining(taskId), more: 1 })
  const none = String(asked?.params?.taskId)
  const rpcError = Buffer.from(JSON.stringify({ code: -32_021, message: `No ${none}`, data: { of: none } }))
  asked?.settle({ kind: 'rpc-error', message: '', rpcError })
  const error = { code: -32_021, message: `No ${taskId}`, data: { of: taskId } }
  expect(await bridge.end(id)).toMatchObject({ json: { error } })
})

/** Clients whose processes differ in their traits, and give their tasks one id. */
async function equalIds() {
  const { server, bridge, system } = setUp()
  const clients = await Promise.all(
    (['sampling', 'elicitation-form'] as const).map(async (trait) => {
      const session = { id: trait, traits: [trait] }
      const instance = server.instance('2025', trait)
      const ask = async (method: string, params: object, result?: object) => {
        const id = bridge.open({ session, message: request(method, params) })
        const at = instance.received.length
        await until(() => instance.received[at])
        if (result !== undefined) instance.received[at]?.answer(result)
        return id
      }
      await bridge.end(await ask('tools/call', { name: 't', task: {} }, { task: { taskId: '1' } }))
      const standing = bridge.open({ kind: 'stream', session })
      return { session, instance, ask, standing }
    }),
  )
  const [one = expect.fail(), other = expect.fail()] = clients
  return { bridge, system, one, other }
}

test('[EXCH.29] tells apart tasks of two processes that have one id', async () => {
  const { bridge, one, other } = await equalIds()
  for (const { ask, instance, standing } of [one, other]) {
    const { json } = await bridge.end(
      await ask('tasks/get', { taskId: '1' }, { taskId: '1', status: 'working' }),
    )
    expect(json).toMatchObject({ result: { status: 'working' } })
    const listed = await bridge.end(
      await ask('tasks/list', {}, { tasks: [{ taskId: '1' }, { taskId: '2' }] }),
    )
    expect(listed.json).toMatchObject({ result: { tasks: [{ taskId: '1' }] } })
    const before = bridge.messages(standing).length
    instance.says('notifications/tasks/status', { taskId: '1', status: 'completed' })
    expect(bridge.messages(standing)).toHaveLength(before + 1)
  }
  other.instance.end()
  await until(() => other.instance.holds === 0)
  const { json } = await bridge.end(await one.ask('tasks/get', { taskId: '1' }, { taskId: '1' }))
  expect(json).toMatchObject({ result: { taskId: '1' } })
})

test('[EXCH.29] knows no task of a process that ended with its result', async () => {
  const { server, bridge } = setUp()
  const session = { id: 's', traits: ['sampling' as const] }
  const first = server.instance('2025', 'sampling')
  const begun = bridge.open({ session, message: request('tools/call', { name: 't', task: {} }) })
  const call = await until(() => first.received[0])
  first.end()
  call.answer({ task: { taskId: '1' } })
  await bridge.end(begun)
  const next = await until(() => {
    const instance = server.instance('2025', 'sampling')
    return instance !== first && instance
  })
  bridge.open({ session, message: request('tasks/get', { taskId: '1' }) })
  const asked = await until(() => next.received[0] ?? server.instance().received[0])
  expect(asked.params).toEqual({ taskId: expect.not.stringMatching('^1$') })
  expect(first.holds).toBe(0)
})

test('[EXCH.31] remembers ids of tasks of up to 1,024 characters', async () => {
  const { begin, reaches } = setUp()
  for (const [length, isKnown] of [
    [MAX_TASK_ID_CHARS, true],
    [MAX_TASK_ID_CHARS + 1, false],
  ] as const) {
    const taskId = await begin('ann', 'x'.repeat(length))
    expect(await reaches('ann', 'tasks/get', { taskId })).toBe(isKnown)
  }
})

/** Ann's task runs at a process at which Eve has a call. */
async function besideTask() {
  const { server, bridge } = setUp()
  const instance = server.instance()
  const of = (client: string) => ({ client, session: { id: client, traits: [] } })
  const open = async (client: string, method: string, params: object) => {
    const at = instance.received.length
    const id = bridge.open({ ...of(client), message: request(method, params) })
    const received = await until(() => instance.received[at])
    return { id, received }
  }
  const begun = await open('ann', 'tools/call', { name: 't', task: {} })
  begun.received.answer({ task: { taskId: '1', status: 'working' } })
  await bridge.end(begun.id)
  const standing = bridge.open({ kind: 'stream', ...of('ann') })
  const call = await open('eve', 'tools/call', { name: 't' })
  const log = (data: string, meta?: object) =>
    instance.says('notifications/message', { level: 'info', data, ...(meta && { _meta: meta }) })
  const heard = (id: string) =>
    bridge.messages(id).flatMap(({ json }) => (json.params as { data?: string }).data ?? [])
  return { bridge, instance, open, standing, call, log, heard }
}

test.each([
  [
    'a notification',
    async ({ instance }: Awaited<ReturnType<typeof besideTask>>) =>
      instance.says('notifications/tasks/status', { taskId: '1', status: 'completed' }),
  ],
  [
    'its result',
    async ({ bridge, open }: Awaited<ReturnType<typeof besideTask>>) => {
      const { id, received } = await open('ann', 'tasks/result', { taskId: '1' })
      received.answer({ content: [] })
      await bridge.end(id)
    },
  ],
  [
    'its status',
    async ({ bridge, open }: Awaited<ReturnType<typeof besideTask>>) => {
      const { id, received } = await open('ann', 'tasks/cancel', { taskId: '1' })
      received.answer({ taskId: '1', status: 'cancelled' })
      await bridge.end(id)
    },
  ],
])('[SESS.23] shows no line of the log to others while a task runs, until %s ends it', async (_, end) => {
  const world = await besideTask()
  world.log('of the task')
  world.instance.says('notifications/tasks/status', { taskId: '1', status: 'input_required' })
  world.log('of the task')
  expect(world.heard(world.call.id)).toEqual([])
  await end(world)
  world.log('of the call')
  expect(world.heard(world.call.id)).toEqual(['of the call'])
})

test.each([
  ['failed', ['of the call']],
  ['working', []],
])('[SESS.23] asks for the status of a task whose result is an error: %s', async (status, expected) => {
  const { bridge, instance, open, call, log, heard } = await besideTask()
  const { id, received } = await open('ann', 'tasks/result', { taskId: '1' })
  const at = instance.received.length
  const rpcError = Buffer.from('{"code":-32603,"message":"no"}')
  received.settle({ kind: 'rpc-error', message: 'no', rpcError })
  expect((await bridge.end(id)).json).toMatchObject({ error: { message: 'no' } })
  const asked = await until(() => instance.received[at])
  expect([asked.method, asked.params]).toEqual(['tasks/get', { taskId: '1' }])
  log('of the task')
  asked.answer({ taskId: '1', status })
  await new Promise((resolve) => setImmediate(resolve))
  log('of the call')
  expect(heard(call.id)).toEqual(expected)
})

test('[SESS.23] shows a line of the log that names a task only to its session', async () => {
  const { instance, standing, call, log, heard } = await besideTask()
  const related = (taskId: string) => ({ 'io.modelcontextprotocol/related-task': { taskId } })
  instance.says('notifications/tasks/status', { taskId: '1', status: 'completed' })
  log('of the task', related('1'))
  log('of no task', related('2'))
  expect([heard(call.id), heard(standing)]).toEqual([[], ['of the task']])
})

test('[ASK.2] asks on the request for a task of its own session, although another named the task first', async () => {
  const { bridge, one } = await equalIds()
  const eve = { id: 'eve', traits: one.session.traits }
  const related = { _meta: { 'io.modelcontextprotocol/related-task': { taskId: '1' } } }
  bridge.open({ client: 'eve', session: eve, message: request('tasks/result', { taskId: '1' }) })
  await until(() => one.instance.received.at(-1)?.method === 'tasks/result')
  const own = await one.ask('tasks/result', { taskId: '1' })
  one.instance.says('sampling/createMessage', related, 7)
  expect(bridge.messages(own)).toHaveLength(1)
})

test('[EXCH.31] forgets the oldest task of a client that has too many, and none of another', async () => {
  const { instance, begin, reaches } = setUp()
  const other = await begin('ann')
  const own: string[] = []
  for (let count = 0; count <= MAX_CLIENT_TASKS; count++) own.push(await begin('eve'))
  expect(instance.holds).toBe(1 + MAX_CLIENT_TASKS)
  expect(await reaches('eve', 'tasks/get', { taskId: own[0] })).toBe(false)
  expect(await reaches('eve', 'tasks/get', { taskId: own[1] })).toBe(true)
  expect(await reaches('ann', 'tasks/get', { taskId: other })).toBe(true)
})

test('[EXCH.31] forgets a task of the client with most when the machine has too many', async () => {
  const { instance, system, begin, reaches } = setUp()
  const greedy = await begin('eve')
  for (let count = 1; count < MAX_CLIENT_TASKS; count++) await begin('eve')
  const first = await begin('client 0')
  for (let count = MAX_CLIENT_TASKS + 1; count < MAX_TASKS; count++) await begin(`client ${count % 4}`)
  await begin('ann')
  expect(instance.holds).toBe(MAX_TASKS)
  expect(await reaches('eve', 'tasks/get', { taskId: greedy })).toBe(false)
  expect(await reaches('client 0', 'tasks/get', { taskId: first })).toBe(true)
  await system.advance(TASK_MS)
  expect(instance.holds).toBe(0)
})

test('[EXCH.31] keeps a copy of a short token of progress, and none of a long one', async () => {
  const { bridge, instance, system } = setUp()
  const session = { id: 's', traits: [] }
  const standing = bridge.open({ kind: 'stream', session })
  for (const [at, size] of [MAX_TOKEN_BYTES - 2, MAX_TOKEN_BYTES - 1].entries()) {
    const progressToken = 'x'.repeat(size)
    const params = { name: 't', task: {}, _meta: { progressToken } }
    const id = bridge.open({ session, message: request('tools/call', params) })
    await system.advance(0)
    instance.received[at]?.answer({ task: { taskId: String(at) } })
    await bridge.end(id)
    instance.says('notifications/progress', { progressToken: tokenOf(instance.received[at]), progress: 1 })
  }
  const tokens = bridge
    .messages(standing)
    .map(({ json }) => (json.params as { progressToken: string }).progressToken)
  expect(tokens).toEqual(['x'.repeat(MAX_TOKEN_BYTES - 2)])
})

test.each<[string, string, object]>([
  ['two lists', '{"tasks":[],"tasks":[{"taskId":"other"}]}', { code: 'result_invalid' }],
  ['no list', '{"tasks":{"taskId":"other"}}', { json: { result: { tasks: [] } } }],
  ['no tasks', '{"a":1}', { json: { result: { a: 1 } } }],
])('[EXCH.29] shows no task of others in a result with %s', async (_, result, end) => {
  const { instance, bridge } = setUp()
  const id = bridge.open({ message: request('tasks/list', {}) })
  const received = await until(() => instance.received[0])
  received.settle({ kind: 'result', result: Buffer.from(result) })
  expect(await bridge.end(id)).toMatchObject(end)
})
