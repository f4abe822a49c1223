import { expect, test } from 'vitest'
import { answerOpen, exchangeAgent, nextOpen } from '../support/exchange-agent.ts'
import { bearer, post } from '../support/mcp.ts'
import { mcpCaller, NEWER, PATH, progress, rpc, version } from '../support/mcp-client.ts'
import { startScopedBridge } from '../support/scoped.ts'
import { openEvents } from '../support/sse.ts'

const PROMPT = rpc('prompts/get', { name: 'p' }, 7)

test('[SESS.2] refuses the session of another user or login exactly as a forged one', async () => {
  const { at, login, begin, ask } = await mcpCaller()
  const { session } = await begin()
  const [own = '', other] = [session['mcp-session-id'], await login()]
  const flipped = own.slice(0, -2) + (own.endsWith('A') ? 'BB' : 'AA')
  const answers = [
    await ask(PROMPT, { 'mcp-session-id': flipped }),
    await ask(PROMPT, { 'mcp-session-id': 'x' }),
    await ask(PROMPT, { 'mcp-session-id': 'v1.AAAA' }),
    await ask(PROMPT, { 'mcp-session-id': `${own}, ${own}` }),
    await ask(PROMPT, { 'mcp-session-id': own.padEnd(400, 'A') }),
    await post(at, PATH, PROMPT, { ...other, ...session }),
  ]
  for (const { status, text } of answers) expect([status, text]).toEqual([404, answers[0]?.text])
  expect(answers[0]?.json).toMatchObject({ id: 7, error: { data: { code: 'session_unknown' } } })
})

test('[SESS.2] refuses every other spelling of a session', async () => {
  const { begin, ask } = await mcpCaller()
  const id = (await begin()).session['mcp-session-id'] ?? ''
  const spellings = [
    ...[id.toUpperCase(), id.toLowerCase(), id.slice(0, -1), id.slice(1), id.slice(0, -4)],
    ...[`${id}=`, `${id}==`, `${id}.`, `${id}A`, `${id}!`, `"${id}"`, `${id};`, id.replace('.', '..')],
    ...[id.replaceAll('_', '/'), id.replaceAll('-', '+')].filter((spelled) => spelled !== id),
  ]
  for (const spelled of spellings) {
    const { status, text } = await ask(PROMPT, { 'mcp-session-id': spelled })
    expect([status, text], spelled).toEqual([404, expect.stringContaining('session_unknown')])
  }
})

test('[SESS.2] refuses another user’s session in each kind of request', async () => {
  const { at, agent, begin, login } = await mcpCaller()
  const { session } = await begin()
  const stranger = { ...(await login()), ...session }
  const note = { jsonrpc: '2.0', method: 'notifications/roots/list_changed' }
  const response = { jsonrpc: '2.0', id: 1, result: {} }
  for (const body of [
    PROMPT,
    rpc('tools/list'),
    rpc('tools/call', { name: 't' }),
    rpc('ping'),
    note,
    response,
    [note],
    [PROMPT],
  ]) {
    const { status, text } = await post(at, PATH, body, stranger)
    expect(text).toContain('session_unknown')
    expect(status).toBe(404)
  }
  for (const method of ['GET', 'DELETE']) {
    const headers = { ...stranger, accept: 'text/event-stream' }
    expect((await fetch(at.url + PATH, { method, headers })).status).toBe(404)
  }
  expect(agent.waiting).toEqual([])
})

test('[SESS.2] refuses another login’s session also after its owner has used it', async () => {
  const { agent, begin, login, ask } = await mcpCaller()
  const { session } = await begin()
  const owners = ask(PROMPT, session)
  answerOpen(agent, await nextOpen(agent))
  expect((await owners).status).toBe(200)
  const { status, json } = await ask(PROMPT, { ...(await login()), ...session })
  expect([status, json.error.data.code]).toEqual([404, 'session_unknown'])
  expect(agent.waiting.filter(({ type }) => type === 'open')).toEqual([])
})

test('[SESS.2] tells the agent who resumes, answers or cancels: each login is another client', async () => {
  const { at, agent, begin, login } = await mcpCaller()
  const mine = await begin()
  const other = await login()
  const theirs = await begin({}, other)
  expect(theirs.open.client).not.toBe(mine.open.client)
  const headers = { ...other, ...theirs.session, 'last-event-id': `${mine.open.id}_0` }
  const read = openEvents(at, PATH, headers)
  const open = await nextOpen(agent, 'stream')
  expect(open).toMatchObject({ client: theirs.open.client, session: theirs.open.session as object })
  agent.send({ type: 'end', id: open.id, status: 400, code: 'stream_unknown', error: 'gone' })
  expect((await read).response.status).toBe(400)
  const note = post(at, PATH, { jsonrpc: '2.0', id: 1, result: {} }, { ...other, ...theirs.session })
  const answer = await nextOpen(agent, 'note')
  expect(answer).toMatchObject({ client: theirs.open.client, session: theirs.open.session as object })
  agent.send({ type: 'end', id: answer.id, status: 202 })
  await note
})

test('[SESS.2] gives no answer of one session to the caller of another with the same JSON-RPC ids', async () => {
  const { agent, begin, ask, login } = await mcpCaller()
  const mine = await begin()
  const other = await login()
  const theirs = await begin({}, other)
  const json = { accept: 'application/json' }
  const first = ask(PROMPT, { ...mine.session, ...json })
  const one = await nextOpen(agent)
  const second = ask(PROMPT, { ...other, ...theirs.session, ...json })
  const two = await nextOpen(agent)
  answerOpen(agent, two, { of: 'theirs' })
  answerOpen(agent, one, { of: 'mine' })
  expect([(await first).json.result, (await second).json.result]).toEqual([{ of: 'mine' }, { of: 'theirs' }])
})

const tool = (name: string) => `{ "name":"${name}","inputSchema":{"n":1.0}}`

/** A caller whose token allows one tool, in a session. */
async function limited() {
  const at = await startScopedBridge()
  const agent = await exchangeAgent(at, 'ann', 's', 'read', 'erase')
  const auth = bearer(await at.scopedToken('ann', 'tools:call:s/read'))
  const list = (headers: Record<string, string> = {}) =>
    openEvents(at, PATH, { ...auth, ...headers }, rpc('tools/list'))
  /** Begins an MCP session. @returns its headers */
  const begin = async () => {
    const begun = post(at, PATH, rpc('initialize', { capabilities: {} }), auth)
    answerOpen(agent, await nextOpen(agent))
    return { 'mcp-session-id': (await begun).headers.get('mcp-session-id') ?? '', ...version(NEWER) }
  }
  return { at, agent, auth, list, begin }
}

test.each<[string, string, string]>([
  ['one tool', tool('erase'), '[]'],
  ['two tools', `${tool('erase')} , ${tool('read')}`, `[${tool('read')}]`],
  ['the same name twice', `${tool('read')},${tool('read')}`, `[${tool('read')},${tool('read')}]`],
  ['two names', '{"name":"read","name":"erase"}', '[]'],
  ['an escaped name', '{"n\\u0061me":"\\u0072ead"}', '[{"n\\u0061me":"\\u0072ead"}]'],
  ['no name', '{},1,null,"read"', '[]'],
])(
  '[SCOPE.2] removes tools from a list as bytes, within the token’s scopes: %s',
  async (_what, tools, left) => {
    const { agent, list } = await limited()
    const posted = list()
    const { id } = await nextOpen(agent)
    const around = (array: string) =>
      `{"jsonrpc":"2.0", "id":1,"result":{"a":1.0,"tools":${array},"nextCursor":"é"}}`
    agent.send(`{"type":"end","id":"${id}","status":200,"message":${around(`[${tools}]`)}}`)
    expect(await (await posted).response.text()).toBe(around(left))
  },
)

test.each([
  '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[]}}',
  '{"jsonrpc":"2.0","id":1,"result":{},"result":{"tools":[]}}',
  '{"jsonrpc":"2.0","id":1,"result":{"tools":{"name":"erase"}}}',
  '{"jsonrpc":"2.0","id":1,"result":["erase"]}',
])('[SCOPE.2] refuses a list that two readers may read differently: %s', async (answer) => {
  const { agent, list } = await limited()
  const posted = list()
  const { id } = await nextOpen(agent)
  agent.send(`{"type":"end","id":"${id}","status":200,"message":${answer}}`)
  const text = await (await posted).response.text()
  expect(text).toContain('result_invalid')
  expect(text).not.toContain('erase')
})

test('[SCOPE.2] sends the whole list to a token without limits, as the bytes of the local server', async () => {
  const { at, agent } = await limited()
  const posted = post(at, PATH, rpc('tools/list'), bearer((await at.token('ann')).accessToken))
  const { id } = await nextOpen(agent)
  const answer = `{"jsonrpc":"2.0","id":1,"result":{ "tools":[${tool('erase')} , ${tool('read')}]}}`
  agent.send(`{"type":"end","id":"${id}","status":200,"message":${answer}}`)
  expect((await posted).text).toBe(answer)
})

test('[SCOPE.2] lets nobody read on a list that would be filtered', async () => {
  const { agent, list, begin } = await limited()
  const events = list(await begin())
  const { id } = await nextOpen(agent)
  agent.send({ type: 'accepted', id })
  agent.send({ type: 'message', id, number: 1, message: progress })
  const reader = await events
  expect((await reader.next())?.id).toBeUndefined()
  reader.leave()
  expect((await agent.next('cancel')).id).toBe(id)
})

test('[MCP.19] adds content to the result of a call that a token with scopes reads on', async () => {
  const { at, agent, auth, begin } = await limited()
  const session = await begin()
  const opened = openEvents(at, PATH, { ...auth, ...session, 'last-event-id': 'abc_1.cOA' })
  const { id } = await nextOpen(agent, 'stream')
  const answer = (result: object) => ({ jsonrpc: '2.0', id: 8, result })
  agent.send({ type: 'accepted', id })
  agent.send({ type: 'end', id, status: 200, number: 2, message: answer({}) })
  expect(await (await opened).rest()).toMatchObject([{ data: JSON.stringify(answer({ content: [] })) }])
})
