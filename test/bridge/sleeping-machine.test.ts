import { expect, test, vi } from 'vitest'
import { agentWith, answerNextWith } from '../support/agents.ts'
import { LIST } from '../support/attacker.ts'
import { startBridge } from '../support/bridge.ts'
import { DAY_MS } from '../support/exchange-agent.ts'
import { connectMachine } from '../support/machines.ts'
import { bearer, codeIn, modernToolCall, post, toolCall } from '../support/mcp.ts'
import { rpc, version } from '../support/mcp-client.ts'
import { verifiedPeer } from '../support/peer.ts'
import { startScopedBridge } from '../support/scoped.ts'

const definition = { name: 'read', inputSchema: { type: 'object' } }
const SERVER = { state: 'ready', name: 'notes', serverInfo: { name: 'notes', version: '1' } }
const STATUS = 'bridgekeeper__status'
const INITIALIZE = {
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
}

async function setUp() {
  const at = await startBridge()
  const { accessToken } = await at.token('ann')
  const auth = bearer(accessToken)
  const ask = async (path: string, body: object, headers = {}) =>
    (await post(at, path, body, { ...auth, ...headers })).json
  const names = async (path: string) =>
    (await ask(path, LIST)).result.tools.map(({ name }: { name: string }) => name)
  const status = async () => (await ask('/mcp', toolCall(STATUS))).result.content[0].text as string
  /** A machine with one server, which is not connected any more. */
  const asleep = async (server: string, ...tools: string[]) => {
    const peer = await agentWith(at, 'ann', server, ...tools)
    peer.socket.close()
    await vi.waitFor(() =>
      expect(at.bridge.listTools('user_ann').map((tool) => tool.server)).not.toContain(server),
    )
  }
  return { at, ask, names, status, asleep }
}

test('[AGG.1] lists the tools of a machine that sleeps, and introduces its server', async () => {
  const { ask, names, asleep } = await setUp()
  await asleep('notes', 'read', 'write')
  expect(await names('/mcp')).toEqual(['notes__read', 'notes__write', STATUS])
  expect(await names('/mcp/notes')).toEqual(['read', 'write'])
  expect((await ask('/mcp/notes', INITIALIZE)).result.serverInfo).toEqual({ name: 'notes', version: '1' })
  expect(codeIn(await ask('/mcp/other', LIST))).toBe('agent_offline')
})

test('[AGG.1] begins a session with a server that sleeps, which its machine joins later', async () => {
  const at = await startBridge()
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const server = { name: 'notes', capabilities: { tools: {}, prompts: {} }, answer: () => ({ prompts: [] }) }
  const machine = await connectMachine(at, 'ann', server)
  machine.peer.socket.close()
  await vi.waitFor(async () => {
    const { json } = await post(at, '/mcp/notes', rpc('prompts/list'), auth)
    expect(json.error.data.code).toBe('agent_offline')
  })
  const { headers, json } = await post(at, '/mcp/notes', INITIALIZE, auth)
  expect(json.result.capabilities).toEqual({ tools: {}, prompts: {} })
  const session = { ...auth, 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
  const awake = await connectMachine(at, 'ann', server)
  const listed = await post(at, '/mcp/notes', rpc('prompts/list'), session)
  expect(listed.json.result).toEqual({ prompts: [] })
  expect(awake.opened.at(-1)?.session?.id).toMatch(/^[\w-]+$/)
})

test('[SESS.7] answers 404 in an ended session with a server that sleeps', async () => {
  const at = await startBridge()
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const machine = await connectMachine(at, 'ann', { name: 'notes', tools: [definition] })
  machine.peer.socket.close()
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  const begin = async () => {
    const { headers } = await post(at, '/mcp/notes', INITIALIZE, auth)
    return { ...auth, 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
  }
  const [ended, other] = [await begin(), await begin()]
  const removed = await fetch(`${at.url}/mcp`, { method: 'DELETE', headers: ended })
  expect(removed.status).toBe(204)
  const note = { jsonrpc: '2.0', method: 'notifications/initialized' }
  for (const body of [rpc('ping'), LIST, rpc('no/such'), toolCall('read'), note]) {
    expect((await post(at, '/mcp/notes', body, other)).status, JSON.stringify(body)).toBeLessThan(300)
    const { status, json } = await post(at, '/mcp/notes', body, ended)
    expect([status, codeIn(json)], JSON.stringify(body)).toEqual([404, 'session_unknown'])
  }
  expect((await post(at, '/mcp/notes', [note], { ...ended, ...version('2025-03-26') })).status).toBe(404)
  expect((await post(at, '/mcp/notes', INITIALIZE, ended)).status).toBe(200)
})

test('[AGG.1] shows the machine as it is once it is connected again', async () => {
  const { at, names, asleep } = await setUp()
  await asleep('notes', 'read')
  await agentWith(at, 'ann', 'files', 'open')
  expect(await names('/mcp')).toEqual(['files__open', STATUS])
})

test('[AGG.5] answers a call to a sleeping machine with a result that a model can pass on', async () => {
  const { ask, asleep, at } = await setUp()
  await asleep('notes', 'read')
  const modern = modernToolCall('notes__read')
  for (const [path, body, headers] of [
    ['/mcp', toolCall('notes__read'), {}],
    ['/mcp', modern.body, modern.headers],
    ['/mcp/notes', toolCall('read'), {}],
  ] as const) {
    const { result } = await ask(path, body, headers)
    expect(result).toMatchObject({ isError: true, _meta: { 'bridgekeeper/code': 'agent_offline' } })
    expect(result.content[0].text).toMatch(
      /^No agent of yours is connected\. "notes" is on a machine without a name, which was connected until .* UTC\. Start it/,
    )
  }
  await expect(at.bridge.callTool('user_ann', 'notes', 'read')).rejects.toMatchObject({
    code: 'agent_offline',
    message: 'No agent of yours is connected.',
  })
})

test('[AGG.5] says which machine has a server while another machine is connected', async () => {
  const { at, ask, asleep, names } = await setUp()
  await asleep('notes', 'read')
  await agentWith(at, 'ann', 'files', 'open')
  const { result } = await ask('/mcp', toolCall('notes__read'))
  expect(result).toMatchObject({ isError: true, _meta: { 'bridgekeeper/code': 'server_unavailable' } })
  expect(result.content[0].text).toContain('"notes" is on a machine without a name')
  expect(codeIn(await ask('/mcp', toolCall('nothing__read')))).toBe('server_not_found')
  expect(await names('/mcp')).not.toContain('notes__read')
  await expect(at.bridge.callTool('user_ann', 'notes', 'read')).rejects.toMatchObject({
    code: 'server_not_found',
  })
})

test.each([
  'agent_slow',
  'server_unavailable',
  'server_exited',
  'too_many_calls',
  'call_timeout',
  'tool_failed',
])('[AGG.4] puts %s into the result of the call, and into an error for apps', async (code) => {
  const { at, ask } = await setUp()
  const peer = await agentWith(at, 'ann', 'notes', 'read')
  const asked = ask('/mcp/notes', toolCall('read'))
  await answerNextWith(peer, { success: false, error: 'Why.', code })
  const { result } = await asked
  expect(result).toEqual({
    content: [{ type: 'text', text: expect.stringContaining('Why.') }],
    ...{ isError: true, _meta: { 'bridgekeeper/code': code } },
  })
  const called = at.bridge.callTool('user_ann', 'notes', 'read')
  await answerNextWith(peer, { success: false, error: 'Why.', code })
  await expect(called).rejects.toMatchObject({ code })
})

test.each(['result_invalid', 'result_too_large', 'arguments_invalid'])(
  '[AGG.4] leaves %s a JSON-RPC error',
  async (code) => {
    const { at, ask } = await setUp()
    const peer = await agentWith(at, 'ann', 'notes', 'read')
    const asked = ask('/mcp/notes', toolCall('read'))
    await answerNextWith(peer, { success: false, error: 'Why.', code })
    expect((await asked).error.data.code).toBe(code)
  },
)

test('[AGG.6] lists a status tool on /mcp while something is missing, which says what to do', async () => {
  const { at, ask, names, status, asleep } = await setUp()
  expect(await names('/mcp')).toEqual([STATUS])
  const { tools } = (await ask('/mcp', LIST)).result
  expect(tools[0].annotations.readOnlyHint).toBe(true)
  expect(await status()).toMatch(/^No machine is connected.*bridgekeeper connect/s)
  await asleep('notes', 'read')
  expect(await status()).toMatch(
    /^A machine without a name is not connected\. .*"notes"\..*No machine is connected/s,
  )
  const peer = await agentWith(at, 'ann', 'files', 'open')
  peer.send({
    type: 'catalog',
    servers: [
      { state: 'starting', name: 'slow' },
      { state: 'failed', name: 'broken', reason: '"npx" was not found.' },
    ],
  })
  await vi.waitFor(async () => expect(await status()).toContain('- "slow": starting'))
  expect(await status()).toContain('- "broken": not running. Reason: "npx" was not found.')
  expect(await status()).toContain("correct the server's entry in the config file")
  expect(await names('/mcp')).toContain(STATUS)
})

test('[AGG.6] lists no status tool while every machine is connected and every server ready', async () => {
  const { at, names, status } = await setUp()
  const [one] = await Promise.all([
    agentWith(at, 'ann', 'notes', 'read'),
    agentWith(at, 'ann', 'files', 'open'),
  ])
  await vi.waitFor(async () => expect(await names('/mcp')).toHaveLength(2))
  expect(await status()).toContain('- "files": ready, 1 tool')
  one.socket.close()
  await vi.waitFor(async () => expect(await names('/mcp')).toContain(STATUS))
})

test('[AGG.6] lets no local server take the name of the status tool', async () => {
  const { at, names, status } = await setUp()
  await agentWith(at, 'ann', 'bridgekeeper', 'status')
  const [other] = await names('/mcp')
  expect(other).toMatch(/^bridgekeeper__status_[0-9a-f]{10}$/)
  expect(await status()).toContain('- "bridgekeeper": ready, 1 tool')
})

test('[AGG.6] names no server to a token that may not list it', async () => {
  const at = await startScopedBridge()
  await agentWith(at, 'ann', 'notes', 'read')
  const asleep = await agentWith(at, 'ann', 'secret', 'open')
  const text = async (...scopes: string[]): Promise<string> => {
    const auth = bearer(await at.scopedToken('ann', ...scopes))
    return (await post(at, '/mcp', toolCall(STATUS), auth)).json.result.content[0].text
  }
  for (const isAsleep of [false, true]) {
    if (isAsleep) asleep.socket.close()
    await vi.waitFor(async () =>
      expect(await text('tools:list')).toMatch(isAsleep ? /not connected/ : /ready/),
    )
    expect(await text('tools:call:notes/read')).toContain('notes')
    expect(await text('tools:call:notes/read')).not.toContain('secret')
    expect(await text('agent:connect')).not.toContain('notes')
    expect(await text('tools:call:*/read')).toContain('secret')
  }
})

test.each([
  ['user', 'connected'],
  ['user', 'asleep'],
  ['session', 'connected'],
  ['session', 'asleep'],
] as const)(
  '[AGG.2] forgets the servers of a machine when its %s is revoked while it is %s',
  async (kind, state) => {
    const at = await startBridge()
    const machine = await at.token('ann')
    const peer = await verifiedPeer(at, machine, { v2: true })
    peer.send({ type: 'catalog', servers: [{ ...SERVER, tools: [{ hash: '0'.repeat(64), definition }] }] })
    await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1))
    const listed = async () => {
      const { json } = await post(at, '/mcp', LIST, bearer((await at.token('ann')).accessToken))
      return json.result.tools.length
    }
    if (state === 'asleep') peer.socket.close()
    if (state === 'asleep') await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
    expect(await listed()).toBe(state === 'asleep' ? 2 : 1)
    await at.bridge.revoke({ kind, id: kind === 'user' ? 'user_ann' : machine.sessionId })
    expect(await listed()).toBe(1)
  },
)

test.each(['/mcp', '/mcp/notes'])(
  '[SESS.8] refuses an answer at %s to a server whose machine is not connected',
  async (path) => {
    const at = await startBridge()
    const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
    const server = { name: 'notes', capabilities: { tools: {} }, answer: () => ({}) }
    const machine = await connectMachine(at, 'ann', server)
    const { headers } = await post(at, path, INITIALIZE, auth)
    const session = { ...auth, 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
    const answer = { jsonrpc: '2.0', id: 'asked', result: {} }
    expect((await post(at, path, answer, session)).status).toBe(202)
    machine.peer.socket.close()
    await vi.waitFor(async () => {
      const { status, json } = await post(at, path, answer, session)
      expect([status, codeIn(json)]).toEqual([503, 'agent_offline'])
    })
    // Notifications, and answers without a session, are for nobody.
    const note = { jsonrpc: '2.0', method: 'notifications/initialized' }
    expect((await post(at, path, note, session)).status).toBe(202)
    expect((await post(at, path, answer, auth)).status).toBe(202)
  },
)
