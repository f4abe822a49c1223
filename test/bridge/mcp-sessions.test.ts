import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { answerOpen, DAY_MS, nextOpen } from '../support/exchange-agent.ts'
import { modernToolCall } from '../support/mcp.ts'
import { initialize, mcpCaller, rpc } from '../support/mcp-client.ts'

const JSON_ONLY = { accept: 'application/json' }
const PROMPT = rpc('prompts/get', { name: 'p' }, 7)

test('[SESS.1] begins a session with initialize, whose id is short visible ASCII and names nobody', async () => {
  const { begin } = await mcpCaller()
  const { open, answer, session } = await begin({ sampling: {} })
  expect(answer.json).toMatchObject({ id: 'i', result: { serverInfo: { name: 's' } } })
  expect(session['mcp-session-id']).toMatch(/^[\x21-\x7e]{1,256}$/)
  expect(open).toMatchObject({ era: '2025', session: { traits: ['sampling'] } })
  const sealed = Buffer.from(session['mcp-session-id'].slice(3), 'base64url').toString('latin1')
  expect(sealed).not.toContain('ann')
  expect(sealed).not.toContain((open.session as { id: string }).id)
})

test('[SESS.1] sends the session of each later request to the agent', async () => {
  const { agent, ask, begin } = await mcpCaller()
  const { open, session } = await begin()
  const posted = ask(PROMPT, { ...session, ...JSON_ONLY })
  const next = await nextOpen(agent)
  expect(next).toMatchObject({ session: open.session as object, message: PROMPT, streams: false })
  answerOpen(agent, next, { messages: [] })
  expect((await posted).json).toEqual({ jsonrpc: '2.0', id: 7, result: { messages: [] } })
})

test.each<[string, unknown, readonly string[]]>([
  ['nothing', undefined, []],
  ['null', null, []],
  ['an empty list', [], []],
  ['null and false', { sampling: null, roots: false, tasks: null, elicitation: null }, []],
  [
    'empty objects',
    { sampling: {}, roots: {}, tasks: {}, elicitation: {} },
    ['sampling', 'elicitation-form', 'roots', 'tasks'],
  ],
  [
    'odd spellings',
    { sampling: [], roots: true, elicitation: true },
    ['sampling', 'elicitation-form', 'roots'],
  ],
  ['forms', { elicitation: { form: {} } }, ['elicitation-form']],
  ['sampling with tools', { sampling: { tools: {} } }, ['sampling', 'sampling-tools']],
  [
    'sampling with tools and context',
    { sampling: { context: [], tools: true }, tasks: {} },
    ['sampling', 'tasks', 'sampling-tools', 'sampling-context'],
  ],
  ['sampling without tools', { sampling: { tools: null, context: false } }, ['sampling']],
  ['URLs', { elicitation: { url: {} } }, ['elicitation-url']],
  ['forms and URLs', { elicitation: { form: {}, url: [] } }, ['elicitation-form', 'elicitation-url']],
  ['no URLs', { elicitation: { url: null } }, ['elicitation-form']],
  ['unknown capabilities', { experimental: {}, extensions: {} }, []],
])('[SESS.4] reads the capabilities of a client that declares %s', async (_what, capabilities, traits) => {
  const { agent, ask, begin } = await mcpCaller()
  const { open, session } = await begin(capabilities)
  expect(open.session).toMatchObject({ traits })
  const posted = ask(PROMPT, { ...session, ...JSON_ONLY })
  const next = await nextOpen(agent)
  expect(next.session).toEqual(open.session)
  answerOpen(agent, next)
  await posted
})

test('[SESS.5] refuses a session after 30 days, and not before', async () => {
  const { system, agent, begin, ask } = await mcpCaller()
  const { session } = await begin()
  system.stepWallClock(30 * DAY_MS)
  const posted = ask(PROMPT, { ...session, ...JSON_ONLY })
  answerOpen(agent, await nextOpen(agent))
  expect((await posted).status).toBe(200)
  system.stepWallClock(1)
  expect((await ask(PROMPT, session)).status).toBe(404)
})

test('[SESS.3] begins no session without a successful initialize', async () => {
  const { agent, ask } = await mcpCaller()
  for (const [end, status] of [
    [{ status: 200, message: { jsonrpc: '2.0', id: 'i', error: { code: -32602, message: 'no' } } }, 200],
    [{ status: 503, code: 'server_unavailable', error: 'gone' }, 200],
    [{ status: 400, message: { jsonrpc: '2.0', id: 'i', error: { code: -32020, message: 'no' } } }, 400],
  ] as const) {
    const posted = ask(initialize())
    const { id } = await nextOpen(agent)
    agent.send({ type: 'end', id, ...end })
    const answer = await posted
    expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([status, null])
  }
})

test('[SESS.3] begins no session by another request, in a batch, or in the 2026 revision', async () => {
  const { agent, ask } = await mcpCaller()
  const batch = await ask([initialize()])
  expect(batch.json).toMatchObject([{ id: 'i', error: { data: { code: 'request_invalid' } } }])
  expect(batch.headers.get('mcp-session-id')).toBeNull()
  const posted = ask(PROMPT, JSON_ONLY)
  const open = await nextOpen(agent)
  expect(open.session).toBeUndefined()
  answerOpen(agent, open)
  expect((await posted).headers.get('mcp-session-id')).toBeNull()
  const { body, headers } = modernToolCall('t')
  const modern = ask(body, { ...headers, 'mcp-session-id': 'x' })
  const call = await nextOpen(agent)
  expect(call.era).toBe('2026')
  expect(call.session).toBeUndefined()
  answerOpen(agent, call)
  expect((await modern).headers.get('mcp-session-id')).toBeNull()
})

test('[SESS.6] keeps sessions over a restart with the same key, also behind a newer one', async () => {
  const [older, newer] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const first = await mcpCaller({ sessionKeys: [older] })
  const { open, session } = await first.begin()
  const restarted = await mcpCaller({ sessionKeys: [newer, older] })
  const posted = restarted.ask(PROMPT, { ...first.auth, ...session, ...JSON_ONLY })
  const next = await nextOpen(restarted.agent)
  expect(next).toMatchObject({ session: open.session as object, client: open.client })
  answerOpen(restarted.agent, next)
  expect((await posted).status).toBe(200)
  const other = await mcpCaller({ sessionKeys: [newer] })
  expect((await other.ask(PROMPT, { ...first.auth, ...session })).status).toBe(404)
})

test('[SESS.6] refuses a key of another length', async () => {
  await expect(startBridge({ sessionKeys: [Buffer.alloc(31)] })).rejects.toThrow('32 bytes')
})

test.each<[string, object, object]>([
  ['nothing', {}, { content: [] }],
  ['structured content only', { structuredContent: { a: 1 } }, { content: [], structuredContent: { a: 1 } }],
  ['a task', { task: { taskId: 't' } }, { task: { taskId: 't' } }],
  ['a request for input', { resultType: 'input_required' }, { resultType: 'input_required' }],
  ['a complete result', { resultType: 'complete' }, { content: [], resultType: 'complete' }],
  ['null as content', { a: 1, content: null }, { a: 1, content: [] }],
])('[MCP.19] adds content in a session to a result that has %s', async (_what, result, expected) => {
  const { agent, ask, begin } = await mcpCaller()
  const { session } = await begin()
  for (const accept of ['application/json', 'application/json, text/event-stream']) {
    const posted = ask(rpc('tools/call', { name: 't' }, 7), { ...session, accept })
    answerOpen(agent, await nextOpen(agent), result)
    const { text } = await posted
    expect(JSON.parse(text.replace(/^(?:.*\n)*data: (?=\{)/, ''))).toEqual({
      jsonrpc: '2.0',
      id: 7,
      result: expected,
    })
  }
})
