import { GATHER_MS, MAX_HELD_BYTES, MAX_SERVER_PAGES, MESSAGE_ALLOWANCE } from '@bridgekeeper/bridge/testing'
import { limits } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { ENVELOPE } from '../support/caller.ts'
import { DAY_MS } from '../support/exchange-agent.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { type Answer, connectMachine, type Opened, type TestServer } from '../support/machines.ts'
import { bearer, codeIn, MCP_HEADERS, MODERN, modernSubscription, post } from '../support/mcp.ts'
import { initialize, rpc } from '../support/mcp-client.ts'

const server = (name: string, answer: Answer, capabilities: object = EVERYTHING): TestServer => ({
  ...{ name, capabilities, answer },
})
const EVERYTHING = { tools: {}, prompts: {}, resources: {}, logging: {} }

async function setUp(...servers: readonly TestServer[]) {
  return setUpAt(await startBridge(), ...servers)
}

async function setUpAt(at: TestBridge, ...servers: readonly TestServer[]) {
  const machine = await connectMachine(at, 'ann', ...servers)
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const ask = async (body: object, headers = {}) => post(at, '/mcp', body, { ...auth, ...headers })
  const begin = async (declared: object = {}) => {
    const { headers, json } = await ask(initialize(declared))
    return { session: { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }, result: json.result }
  }
  return { at, auth, machine, ask, begin }
}

test.each([
  ['empty', ''],
  ['repeated', 'again'],
  ['null', null],
  ['a number', 1],
])('[AGG.8] ends the list of a server at a cursor that is %s', async (_what, nextCursor) => {
  const { ask, machine } = await setUp(
    server('s', () => ({ resources: [{ name: 'r', uri: 'test://r' }], nextCursor })),
  )
  const { json } = await ask(rpc('resources/list'))
  const pages = nextCursor === 'again' ? 2 : 1
  expect(json.result.resources).toHaveLength(pages)
  expect(machine.opened).toHaveLength(pages)
})

test('[AGG.8] lists the first 1,024 items of a server with more, on one page or on pages of ten', async () => {
  const prompts = Array.from({ length: 1_100 }, (_, at) => ({ name: `p${at}` }))
  const paged: Answer = ({ params }) => {
    const at = Number(params?.cursor ?? 0)
    return { prompts: prompts.slice(at, at + 10), nextCursor: String(at + 10) }
  }
  for (const answer of [() => ({ prompts }), paged]) {
    const { ask } = await setUp(server('s', answer))
    const { json } = await ask(rpc('prompts/list'))
    expect(json.result.prompts).toHaveLength(1_024)
    expect(json.result.prompts.at(-1).name).toBe('s__p1023')
  }
})

test.each([
  [524_288, 16],
  [524_289, 15],
])('[AGG.8] lists at most 8 MiB of pages of a server: of %i bytes %i', async (pageBytes, count) => {
  const page = ({ message, params }: Opened, description: string) => {
    const nextCursor = `${params?.cursor ?? ''}x`
    const result = { prompts: [{ name: nextCursor, description }], nextCursor }
    const unpadded = JSON.stringify({ jsonrpc: '2.0', id: message.id, result })
    return { result, missing: pageBytes - unpadded.length }
  }
  const endless: Answer = (opened) => page(opened, 'x'.repeat(page(opened, '').missing)).result
  const { ask, machine } = await setUp(server('s', endless))
  const { json } = await ask(rpc('prompts/list'))
  expect(json.result.prompts).toHaveLength(count)
  expect(machine.opened).toHaveLength(count + 1)
})

test('[LOAD.8] refuses a request for all servers that is over 1 MiB, and asks none', async () => {
  const { ask, machine } = await setUp(server('s', () => ({ resources: [] })))
  const junk = 'x'.repeat(limits.messageBytes)
  for (const method of ['resources/list', 'tools/list', 'logging/setLevel'])
    expect(codeIn((await ask(rpc(method, { level: 'info', junk }))).json)).toBe('params_invalid')
  const { body, headers } = modernSubscription()
  const params = { ...body.params, notifications: { resourceSubscriptions: [junk] } }
  expect(codeIn((await ask({ ...body, params }, headers)).json)).toBe('params_invalid')
  expect(machine.opened).toEqual([])
  expect((await ask(rpc('resources/list', { junk: 'x' }))).json.result).toEqual({ resources: [] })
})

test('[LOAD.2] refuses a list whose parts are more than its user may hold, before they arrive', async () => {
  const silent = () => undefined
  const names = ['a', 'b', 'c', 'd', 'e']
  const { ask, machine } = await setUp(...names.map((name) => server(name, silent)))
  // Twice: a list that is refused releases what it held.
  for (const round of [1, 2]) {
    const listed = ask(rpc('resources/list'))
    await vi.waitFor(() => expect(machine.opened).toHaveLength(names.length * round))
    for (const { id } of machine.opened.slice(-names.length))
      machine.peer.send({ type: 'end', id, status: 200, bytes: MAX_HELD_BYTES / 4 })
    expect(codeIn((await listed).json)).toBe('too_many_requests')
  }
})

test('[AGG.8] lists what others have while the large answer of one server does not arrive', async () => {
  const system = new FakeSystem()
  const { machine, ask } = await setUpAt(
    await startBridge({ system }),
    server('slow', () => undefined),
    server('quick', () => ({ prompts: [{ name: 'p' }] })),
  )
  const listed = ask(rpc('prompts/list'))
  await vi.waitFor(() => expect(machine.opened).toHaveLength(2))
  const { id } = machine.opened.find((opened) => opened.server === 'slow') as Opened
  machine.peer.send({ type: 'end', id, status: 200, bytes: 2_000_000 })
  await machine.settled()
  system.advance(GATHER_MS)
  expect((await listed).json.result.prompts).toHaveLength(1)
  expect(machine.left).toEqual([id])
})

test('[LOAD.2] holds the parts of a list only until they are used', async () => {
  const description = 'x'.repeat(900_000)
  const big: Answer = ({ method }) =>
    method === 'resources/list' ? { resources: [{ uri: 'test://r', name: 'r', description }] } : undefined
  const { at, auth } = await setUp(server('a', big), server('b', big))
  const { body, headers } = modernSubscription()
  const params = { ...body.params, notifications: { resourceSubscriptions: ['test://r'] } }
  for (let count = 0; count < MAX_HELD_BYTES / 1_800_000 + 1; count++) {
    const response = await fetch(`${at.url}/mcp`, {
      method: 'POST',
      headers: { ...MCP_HEADERS, ...auth, ...headers },
      body: JSON.stringify({ ...body, params }),
    })
    onTestFinished(() => response.body?.cancel())
    expect(response.headers.get('content-type')).toBe('text/event-stream')
  }
})

test('[LOAD.4] counts each further page that a list reads', async () => {
  const paged: Answer = ({ params }) => ({ prompts: [], nextCursor: `${params?.cursor ?? ''}x` })
  const system = new FakeSystem()
  const { ask, machine } = await setUpAt(await startBridge({ system }), server('s', paged))
  const lists = Math.ceil(MESSAGE_ALLOWANCE.units / MAX_SERVER_PAGES)
  for (let count = 0; count < lists; count++) expect((await ask(rpc('prompts/list'))).status).toBe(200)
  expect(machine.opened).toHaveLength(lists * MAX_SERVER_PAGES)
  expect(codeIn((await ask(rpc('prompts/list'))).json)).toBe('rate_limit_exceeded')
  expect(machine.opened).toHaveLength(lists * MAX_SERVER_PAGES)
})

test('[AGG.8] lists the tasks of all servers', async () => {
  const tasks = (...ids: string[]): Answer => {
    return () => ({ tasks: ids.map((taskId) => ({ taskId, status: 'working' })) })
  }
  const capabilities = { tasks: { list: {}, cancel: {} } }
  const { begin, ask, machine } = await setUp(
    server('one', tasks('a', 'b'), capabilities),
    server('two', tasks('c'), capabilities),
    server('three', () => ({})),
  )
  const { session, result } = await begin({ tasks: {} })
  expect(result.capabilities.tasks).toEqual({ list: {}, cancel: {} })
  const { json } = await ask(rpc('tasks/list'), session)
  expect(json.result.tasks.map(({ taskId }: { taskId: string }) => taskId)).toEqual(['a', 'b', 'c'])
  expect(machine.opened.every((opened) => opened.session !== undefined)).toBe(true)
  const modern = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tasks/list' }
  const unknown = await ask(rpc('tasks/list', { _meta: ENVELOPE }), modern)
  expect([unknown.status, unknown.json.error.code]).toEqual([404, -32_601])
})

test('[SESS.7] answers 404 at /mcp in a session that a machine has ended', async () => {
  const { begin, ask, machine } = await setUp(
    server('s', () => undefined),
    server('fine', () => ({ prompts: [{ name: 'p' }] })),
  )
  const { session } = await begin()
  machine.peer.socket.on('message', () => {
    for (const { id, server: name } of machine.opened)
      if (name === 's')
        machine.peer.send({ type: 'end', id, status: 404, code: 'session_unknown', error: '' })
  })
  const requests = [
    rpc('tools/list'),
    rpc('prompts/list'),
    rpc('resources/read', { uri: 'x://1' }),
    rpc('logging/setLevel', { level: 'info' }),
  ]
  for (const request of requests) {
    const { status, json } = await ask(request, session)
    expect([status, json.id, codeIn(json)], request.method).toEqual([404, 1, 'session_unknown'])
  }
})

test('[AGG.9] refuses methods that the 2026 revision does not have', async () => {
  const { ask, machine } = await setUp(server('s', () => ({})))
  for (const method of ['resources/subscribe', 'resources/unsubscribe', 'tasks/result', 'constructor']) {
    const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': method }
    const { status, json } = await ask(rpc(method, { uri: 'x://1', taskId: 't', _meta: ENVELOPE }), headers)
    expect([status, json.error.code], method).toEqual([404, -32_601])
  }
  expect(machine.opened).toEqual([])
})
