import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { DAY_MS } from '../support/exchange-agent.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { type Answer, connectMachine, error, Raw, type TestServer } from '../support/machines.ts'
import { bearer, codeIn, MODERN, post } from '../support/mcp.ts'
import { initialize, rpc } from '../support/mcp-client.ts'
import { startScopedBridge } from '../support/scoped.ts'

const STATUS = 'bridgekeeper__status'
const tool = (name: string, more: object = {}) => ({ name, inputSchema: { type: 'object' }, ...more })
const capabilities = { tools: {}, prompts: {}, resources: {}, completions: {}, logging: {} }

/** A server with these lists, which answers everything else with its name and the parameters. */
function server(name: string, lists: Record<string, readonly object[]> = {}, more: Partial<TestServer> = {}) {
  const answer: Answer = ({ method, params }) => {
    if (!method.endsWith('/list')) return { server: name, params }
    const member = method === 'resources/templates/list' ? 'resourceTemplates' : method.split('/')[0]
    return { [String(member)]: lists[String(member)] ?? [] }
  }
  return { name, capabilities, tools: lists.tools ?? [], answer, ...more } as TestServer
}

async function setUp(...servers: readonly TestServer[]) {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const machine = await connectMachine(at, 'ann', ...servers)
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const ask = async (body: object | string, headers = {}) => post(at, '/mcp', body, { ...auth, ...headers })
  const result = async (method: string, params: object = {}, headers = {}) =>
    (await ask(rpc(method, params), headers)).json.result
  const begin = async (declared: object = {}) => {
    const { headers, json } = await ask(initialize(declared))
    return { session: { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }, result: json.result }
  }
  return { system, at, machine, auth, ask, result, begin }
}

const namesIn = (items: readonly { name: string }[]) => items.map(({ name }) => name)

test('[AGG.7] introduces all servers as one, with the instructions of each, and begins a session', async () => {
  const { begin, machine } = await setUp(
    server('notes', {}, { instructions: 'Be kind.' }),
    server('files', {}, { instructions: 'x'.repeat(5_000) }),
    server('quiet'),
  )
  const { session, result } = await begin()
  expect(session['mcp-session-id']).not.toBe('')
  expect(result).toMatchObject({
    serverInfo: { name: 'bridgekeeper' },
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      ...{ completions: {}, logging: {} },
    },
  })
  expect(result.instructions).toContain('# notes\n\nBe kind.')
  expect(result.instructions).toContain(`# files\n\n${'x'.repeat(4_095)}…`)
  expect(result.instructions).not.toContain('quiet')
  expect(machine.opened).toEqual([])
})

test('[AGG.7] introduces all servers to clients of the 2026 revision', async () => {
  const { ask } = await setUp(server('notes', {}, { instructions: 'Be kind.' }))
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': 'server/discover' }
  const { json } = await ask(rpc('server/discover', { _meta }), headers)
  expect(json.result).toMatchObject({ supportedVersions: [MODERN], resultType: 'complete' })
  expect(json.result.capabilities.prompts).toEqual({ listChanged: true })
  expect(json.result.instructions).toContain('Be kind.')
})

test('[AGG.8] lists the tools of all servers with their bytes, under their exposed names', async () => {
  const bytes = '{"name" : "read","inputSchema":{"type":"object","x":12345678901234567890,"e":1e400}}'
  const { ask, machine } = await setUp(
    server('notes', { tools: [tool('read')] }, { answer: () => new Raw(`"result":{"tools":[${bytes}]}`) }),
    server('files', { tools: [tool('open'), tool('close')] }),
  )
  const { json, text } = await ask(rpc('tools/list'))
  expect(namesIn(json.result.tools)).toEqual(['notes__read', 'files__open', 'files__close'])
  expect(text).toContain(
    '{"name" : "notes__read","inputSchema":{"type":"object","x":12345678901234567890,"e":1e400}',
  )
  expect(json.result.tools[1]._meta).toEqual({ 'bridgekeeper/server': 'files', 'bridgekeeper/tool': 'open' })
  expect(machine.opened.map(({ server: name, message }) => [name, message])).toEqual([
    ['notes', rpc('tools/list')],
    ['files', rpc('tools/list')],
  ])
})

test('[AGG.8] lists tools that run as tasks only to clients that have tasks', async () => {
  const needsTask = tool('slow', { execution: { taskSupport: 'required' } })
  const { begin, ask, result } = await setUp(
    server('jobs', { tools: [tool('fast'), needsTask] }, { tools: [] }),
  )
  expect(namesIn((await result('tools/list')).tools)).toEqual(['jobs__fast'])
  const { session } = await begin({ tasks: {} })
  const { json } = await ask(rpc('tools/list'), session)
  expect(namesIn(json.result.tools)).toEqual(['jobs__fast', 'jobs__slow'])
})

test('[AGG.8] lists a server that fails or is silent from the catalog, after five seconds', async () => {
  const { system, result, machine } = await setUp(
    server('broken', { tools: [tool('a')] }, { answer: () => error(-32_603) }),
    server('silent', { tools: [tool('b')] }, { answer: () => undefined }),
    server('fine', { tools: [tool('c')], prompts: [{ name: 'p' }] }),
  )
  const tools = result('tools/list')
  await vi.waitFor(() => expect(machine.opened).toHaveLength(3))
  await machine.settled()
  system.advance(5_000)
  expect(namesIn((await tools).tools)).toEqual(['fine__c', 'broken__a', 'silent__b'])
  await vi.waitFor(() => expect(machine.left).toHaveLength(1))
  const prompts = result('prompts/list')
  await vi.waitFor(() => expect(machine.opened).toHaveLength(6))
  await machine.settled()
  system.advance(5_000)
  expect(namesIn((await prompts).prompts)).toEqual(['fine__p'])
})

test('[AGG.8] reads all pages of each server into one', async () => {
  const pages: Answer = ({ params }) => {
    const page = Number(params?.cursor ?? 0)
    return { prompts: [{ name: `p${page}` }], ...(page < 2 && { nextCursor: String(page + 1) }) }
  }
  const endless: Answer = ({ method, params }) => ({
    prompts: [{ name: method }],
    nextCursor: `${params?.cursor ?? ''}x`,
  })
  const { result, machine, ask } = await setUp(
    server('paged', {}, { answer: pages }),
    server('endless', {}, { answer: endless }),
  )
  const { prompts, nextCursor } = await result('prompts/list')
  expect(namesIn(prompts).slice(0, 4)).toEqual(['paged__p0', 'paged__p1', 'paged__p2', expect.any(String)])
  expect(nextCursor).toBeUndefined()
  expect(machine.opened.filter(({ server: name }) => name === 'endless')).toHaveLength(128)
  expect(codeIn((await ask(rpc('prompts/list', { cursor: 'x' }))).json)).toBe('params_invalid')
})

test.each([
  ['has more pages than are read', (page: number) => ({ tools: [], nextCursor: String(page + 1) })],
  ['fails at its second page', () => error(-32_603)],
])('[AGG.8] lists all tools of a server from the catalog if it %s', async (_why, later) => {
  const answer: Answer = ({ params }) => {
    const page = Number(params?.cursor ?? 0)
    return page === 0 ? { tools: [tool('t0')], nextCursor: '1' } : later(page)
  }
  const { result } = await setUp(server('paged', { tools: [tool('t0'), tool('t1'), tool('t2')] }, { answer }))
  expect(namesIn((await result('tools/list')).tools)).toEqual(['paged__t0', 'paged__t1', 'paged__t2'])
})

test('[AGG.8] takes a list that is null as empty', async () => {
  const { result } = await setUp(server('s', {}, { answer: () => ({ prompts: null }) }))
  expect(await result('prompts/list')).toMatchObject({ prompts: [] })
})

test('[AGG.8] lets an odd item of one server hide nothing of the others', async () => {
  const odd = [
    { name: 'p', arguments: 'none' },
    { name: 'q', title: 5 },
    { title: 'nameless' },
    { name: 'fine', _meta: 'odd' },
  ]
  const { result } = await setUp(
    server(
      'odd',
      {
        prompts: odd,
        tools: [tool('a', { inputSchema: 7 }), tool('b')],
        resources: [{ uri: 'x:1' }, { uri: 'x:2', name: 'two' }],
      },
      { tools: [] },
    ),
    server('fine', { prompts: [{ name: 'p' }], tools: [tool('a')] }),
    server('liar', {}, { answer: () => ({ prompts: 'none', tools: {}, resources: null }) }),
  )
  expect(namesIn((await result('prompts/list')).prompts)).toEqual(['odd__fine', 'fine__p'])
  expect(namesIn((await result('tools/list')).tools)).toEqual(['odd__b', 'fine__a'])
  expect(namesIn((await result('resources/list')).resources)).toEqual(['two'])
})

test('[MCP.9] lists no tool at /mcp whose name no catalog can have, since calls would not reach it', async () => {
  const names = ['fine', 'a\nb', 'x'.repeat(129), '\u202e', '']
  const { result } = await setUp(
    server('s', { tools: [tool('fine')] }, { answer: () => ({ tools: names.map((name) => tool(name)) }) }),
  )
  expect(namesIn((await result('tools/list')).tools)).toEqual(['s__fine'])
})

test('[LOCAL.4] lets the local server answer for a tool of any name at its own address', async () => {
  const { at, auth, machine } = await setUp(server('s'))
  for (const name of ['a\nb', 'x'.repeat(300), '']) {
    const { json } = await post(at, '/mcp/s', rpc('tools/call', { name }), auth)
    expect(json.result).toMatchObject({ server: 's' })
    expect(machine.opened.at(-1)?.params).toMatchObject({ name })
  }
})

test('[AGG.9] forwards a prompt to the server that it names, and changes only the name', async () => {
  const { ask, machine } = await setUp(
    server('notes', { prompts: [{ name: 'p.q' }, { name: 'p' }] }),
    server('files'),
  )
  const { json } = await ask(
    '{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{ "name":"notes__p","arguments":{"n":1.0}}}',
  )
  expect(json).toEqual({
    jsonrpc: '2.0',
    id: 7,
    result: { server: 'notes', params: { name: 'p', arguments: { n: 1 } } },
  })
  const { prompts } = (await ask(rpc('prompts/list'))).json.result
  expect(prompts[0].name).toMatch(/^notes__p_q_[0-9a-f]{10}$/)
  const hashed = await ask(rpc('prompts/get', { name: prompts[0].name }))
  expect(hashed.json.result).toEqual({ server: 'notes', params: { name: 'p.q' } })
  expect(
    machine.opened.some(({ server: name, method }) => name === 'files' && method === 'prompts/get'),
  ).toBe(false)
  for (const name of ['nothing__p', 'p', 'notes__p_q_0123456789'])
    expect((await ask(rpc('prompts/get', { name }))).json, name).toMatchObject(
      name.startsWith('notes') ? { result: {} } : { error: { code: -32602 } },
    )
  expect(codeIn((await ask(rpc('prompts/get', {}))).json)).toBe('params_invalid')
})

test('[AGG.10] reads a resource from the server that listed it', async () => {
  const { result, ask } = await setUp(
    server('notes', { resources: [{ uri: 'file:///a', name: 'a' }] }),
    server('files', {
      resources: [{ uri: 'file:///b', name: 'b' }],
      resourceTemplates: [{ uriTemplate: 'demo://{id}', name: 't' }],
    }),
  )
  const { resources } = await result('resources/list')
  expect(resources.map(({ uri }: { uri: string }) => uri)).toEqual(['file:///a', 'file:///b'])
  expect(resources[1]._meta).toEqual({ 'bridgekeeper/server': 'files' })
  for (const [uri, name] of [
    ['file:///a', 'notes'],
    ['file:///b', 'files'],
    ['demo://7', 'files'],
  ])
    expect(await result('resources/read', { uri })).toEqual({ server: name, params: { uri } })
  expect((await ask(rpc('resources/read', { uri: 'file:///c' }))).json.error.code).toBe(-32602)
})

test('[AGG.10] tells equal URIs of two servers apart, so that neither answers for the other', async () => {
  const uri = 'file:///a b?c=%20'
  const app = 'ui://widget'
  const appTool = tool('show', { _meta: { ui: { resourceUri: app, more: 1 } } })
  const lists = {
    resources: [
      { uri, name: 'a' },
      { uri: app, name: 'w' },
    ],
    resourceTemplates: [{ uriTemplate: 'x://{id}', name: 't' }],
    tools: [appTool],
  }
  const { result } = await setUp(server('one', lists), server('two/2', lists))
  const { resources } = await result('resources/list')
  expect(resources.map((each: { uri: string }) => each.uri)).toEqual([
    uri,
    app,
    `bridgekeeper://two%2F2/${uri}`,
    `ui://bridgekeeper/two%2F2/${app}`,
  ])
  for (const [at, name] of ['one', 'one', 'two/2', 'two/2'].entries()) {
    const read = await result('resources/read', { uri: resources[at].uri })
    expect(read).toEqual({ server: name, params: { uri: at % 2 === 0 ? uri : app } })
  }
  const { resourceTemplates } = await result('resources/templates/list')
  expect(resourceTemplates[1].uriTemplate).toBe('bridgekeeper://two%2F2/x://{id}')
  expect(await result('resources/read', { uri: 'bridgekeeper://two%2F2/x://5' })).toMatchObject({
    ...{ server: 'two/2', params: { uri: 'x://5' } },
  })
  const { tools } = await result('tools/list')
  expect(tools[0]._meta.ui).toEqual({ resourceUri: app, more: 1 })
  expect(tools[1]._meta.ui).toEqual({ resourceUri: `ui://bridgekeeper/two%2F2/${app}`, more: 1 })
})

test('[AGG.10] lets no tool take the URI of a resource that is not an App', async () => {
  const uri = 'file:///secret'
  const thief = tool('show', { _meta: { ui: { resourceUri: uri } } })
  const { result } = await setUp(
    server('owner', { resources: [{ uri, name: 's' }] }),
    server('thief', { tools: [thief] }),
  )
  expect(await result('resources/read', { uri })).toMatchObject({ server: 'owner' })
})

test('[AGG.9] forwards completion, subscriptions and tasks to the server that they name', async () => {
  const tasks: Answer = ({ params }) => (params.taskId === 't2' ? { server: 'two', params } : error(-32_602))
  const { result } = await setUp(
    server('one', { resourceTemplates: [{ uriTemplate: 'x://{id}', name: 't' }] }),
    server('two', {}, { capabilities: { tasks: {} }, answer: tasks }),
    server('three', {}, { capabilities: { tasks: {} }, answer: () => error(-32_602) }),
  )
  const argument = { name: 'a', value: 'b' }
  expect(
    await result('completion/complete', { ref: { type: 'ref/prompt', name: 'one__p' }, argument }),
  ).toEqual({
    ...{ server: 'one', params: { ref: { type: 'ref/prompt', name: 'p' }, argument } },
  })
  const ref = { type: 'ref/resource', uri: 'x://{id}' }
  expect(await result('completion/complete', { ref, argument })).toEqual({
    server: 'one',
    params: { ref, argument },
  })
  expect(await result('resources/subscribe', { uri: 'any:1' })).toMatchObject({ server: 'one' })
  expect(await result('tasks/get', { taskId: 't2' })).toEqual({ server: 'two', params: { taskId: 't2' } })
})

test('[AGG.9] forwards a call in a session by an exchange, under the tool’s own name', async () => {
  const { begin, ask, machine } = await setUp(server('notes', { tools: [tool('read')] }))
  const { session } = await begin()
  const { json } = await ask(rpc('tools/call', { name: 'notes__read', arguments: { a: 1 } }), session)
  expect(json.result ?? (await codeIn(json))).toMatchObject({ params: { name: 'read', arguments: { a: 1 } } })
  expect(machine.opened.at(-1)).toMatchObject({ server: 'notes', method: 'tools/call' })
  expect(machine.opened.at(-1)?.session?.id).toMatch(/^[\w-]+$/)
  const status = await ask(rpc('tools/call', { name: STATUS }), session)
  expect(status.json.result.content[0].text).toContain('"notes": ready')
})

test('[AGG.9] sets the log level at every server that logs, and fails only if all refuse', async () => {
  const refuses: Answer = () => error(-32_602, 'Bad level.')
  const { begin, ask, machine } = await setUp(
    server('one'),
    server('two', {}, { answer: refuses }),
    server('mute', {}, { capabilities: {} }),
  )
  const { session } = await begin()
  const { json } = await ask(rpc('logging/setLevel', { level: 'info' }), session)
  expect(json.result).toEqual({})
  expect(machine.opened.map(({ server: name }) => name)).toEqual(['one', 'two'])
  machine.publish(server('two', {}, { answer: refuses }))
  await vi.waitFor(async () => {
    const { json: refused } = await ask(rpc('logging/setLevel', { level: 'x' }), session)
    expect(refused.error).toEqual({ code: -32602, message: 'Bad level.' })
  })
})

test('[AGG.9] answers ping itself, and refuses methods that name no server', async () => {
  const { ask, machine } = await setUp(server('one'))
  expect((await ask(rpc('ping'))).json.result).toEqual({})
  expect((await ask(rpc('x/y'))).json.error.code).toBe(-32601)
  expect(machine.opened).toEqual([])
})

test('[SCOPE.2] [SCOPE.4] shows and reads at /mcp only what a token may, without asking a server', async () => {
  const at = await startScopedBridge()
  const lists = { tools: [tool('read'), tool('erase')], prompts: [{ name: 'p' }] }
  const { opened } = await connectMachine(at, 'ann', server('notes', lists, { instructions: 'Secret.' }))
  const as = async (scope: string, method: string, params: object = {}) => {
    const auth = bearer(await at.scopedToken('ann', scope))
    return (await post(at, '/mcp', rpc(method, params), auth)).json
  }
  const call = 'tools:call:notes/read'
  expect(namesIn((await as(call, 'tools/list')).result.tools)).toEqual(['notes__read'])
  const asked = opened.length
  expect(codeIn(await as(call, 'prompts/list'))).toBe('scope_insufficient')
  expect(codeIn(await as(call, 'prompts/get', { name: 'notes__p' }))).toBe('scope_insufficient')
  expect(opened).toHaveLength(asked)
  const { result } = await as('tools:call:other/x', 'initialize', initialize().params)
  expect(Object.keys(result.capabilities)).toEqual(['tools', 'logging'])
  expect(result.instructions).not.toContain('Secret.')
  expect(namesIn((await as('prompts:read', 'prompts/list')).result.prompts)).toEqual(['notes__p'])
})

test('[AGG.9] lets no server answer for a prompt or tool of another by its own name', async () => {
  const { result } = await setUp(
    server('a', { prompts: [{ name: 'b__c' }], tools: [tool('b__c')] }),
    server('a__b', { prompts: [{ name: 'c' }], tools: [tool('c')] }),
    server('a_', { prompts: [{ name: 'b__c' }] }),
  )
  const names = namesIn((await result('prompts/list')).prompts)
  expect(new Set(names).size).toBe(3)
  expect(names[0]).toBe('a__b__c')
  for (const [at, owner] of ['a', 'a__b', 'a_'].entries())
    expect(await result('prompts/get', { name: names[at] })).toMatchObject({ server: owner })
  const imitated = names[1] ?? ''
  const thief = server('a', { prompts: [{ name: imitated.slice(3) }] })
  const second = await setUp(thief, server('a__b', { prompts: [{ name: 'c' }] }))
  const both = namesIn((await second.result('prompts/list')).prompts)
  expect(both).toEqual([expect.stringMatching(/^a__b__c_[0-9a-f]{10}_[0-9a-f]{10}$/), imitated])
  expect(await second.result('prompts/get', { name: imitated })).toMatchObject({ server: 'a__b' })
})
