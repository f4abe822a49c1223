import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { answerOpen, DAY_MS, nextOpen } from '../support/exchange-agent.ts'
import { connectMachine } from '../support/machines.ts'
import { bearer, MODERN, modernToolCall, post } from '../support/mcp.ts'
import { initialize, mcpCaller, rpc } from '../support/mcp-client.ts'

const EMPTY = ['null', '[]', '[ ]']

const text = (method: string, params: string) =>
  `{"jsonrpc":"2.0","id":12345678901234567890,"method":"${method}","params":${params}}`

test.each([
  ['prompts/list', '$', {}],
  ['ping', '$', {}],
  ['x/unknown', '$', {}],
  ['ping', '{"_meta":$}', {}],
  ['x/unknown', '{"_meta":$,"x":[]}', { x: [] }],
  ['prompts/list', '{"cursor":$}', {}],
  ['tools/list', '{"_meta":$,"cursor":$}', {}],
  ['prompts/get', '{"name":"p","arguments":$}', { name: 'p' }],
  ['tools/call', '{"name":"t","arguments":$,"_meta":$}', { name: 't' }],
  ['tools/call', '{"name":"t","_meta":{"progressToken":$}}', { name: 't', _meta: {} }],
  [
    'x/unknown',
    '{"_meta":{"io.modelcontextprotocol/related-task":$,"progressToken":0}}',
    { _meta: { progressToken: 0 } },
  ],
])('[MCP.11] sends a local server no empty members of %s with %s', async (method, params, sent) => {
  const { agent, ask, begin } = await mcpCaller()
  const { session } = await begin()
  for (const empty of EMPTY) {
    const posted = ask(text(method, params.replaceAll('$', empty)), session)
    const open = await nextOpen(agent)
    expect(open.message).toMatchObject({ params: sent })
    expect(Object.keys((open.message as { params: object }).params)).toEqual(Object.keys(sent))
    answerOpen(agent, open, { content: [] })
    expect((await posted).text).toContain('"result":{"content":[]}')
  }
})

test('[MCP.11] sends a local server no empty members of a call in the 2026 revision', async () => {
  const { agent, ask } = await mcpCaller()
  const { body, headers } = modernToolCall('t')
  const posted = ask({ ...body, params: { ...body.params, arguments: [] } }, headers)
  const open = await nextOpen(agent)
  expect(Object.keys((open.message as { params: object }).params)).toEqual(['name', '_meta'])
  answerOpen(agent, open, { content: [] })
  expect((await posted).status).toBe(200)
})

test('[MCP.11] sends the servers at /mcp no empty members, and reads all pages', async () => {
  const at = await startBridge()
  const machine = await connectMachine(at, 'ann', {
    name: 's',
    capabilities: { prompts: {} },
    answer: ({ params }) =>
      params.cursor === undefined
        ? { prompts: [{ name: 'a' }], nextCursor: 'next' }
        : { prompts: [{ name: 'b' }] },
  })
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const { headers } = await post(at, '/mcp', initialize(), auth)
  const session = { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
  for (const params of ['null', '[]', '{"cursor":null}', '{"_meta":[],"cursor":""}']) {
    const { json } = await post(at, '/mcp', text('prompts/list', params), { ...auth, ...session })
    expect(json.result.prompts, params).toHaveLength(2)
  }
  expect(machine.opened.every(({ params }) => !Array.isArray(params) && params !== null)).toBe(true)
})

test.each([
  ['5', '"params._meta" must be an object'],
  ['"x"', '"params._meta" must be an object'],
  ['[1]', '"params._meta" must be an object'],
  ['{"progressToken":true}', '"params._meta.progressToken" must be a string or a number'],
  ['{"progressToken":{}}', '"params._meta.progressToken" must be a string or a number'],
  ['{"progressToken":[1]}', '"params._meta.progressToken" must be a string or a number'],
  ['{"progressToken":1,"progressToken":2}', '"params._meta.progressToken" occurs twice'],
  ['{"io.modelcontextprotocol/related-task":"t"}', 'related-task" must name a task'],
  ['{"io.modelcontextprotocol/related-task":{"taskId":1}}', 'related-task" must name a task'],
])('[MCP.11] refuses a request with _meta that servers ignore, and keeps its id: %s', async (meta, text) => {
  const { agent, ask, begin } = await mcpCaller()
  const { session } = await begin()
  const ping = `{"jsonrpc":"2.0","id":12345678901234567890,"method":"ping","params":{"_meta":${meta}}}`
  const call = ping.replace('ping', 'tools/call').replace('"_meta"', '"name":"t","_meta"')
  for (const [body, headers] of [[ping, session], [ping], [call, session], [call]] as const) {
    const { text: answer, json } = await ask(body, headers)
    expect(json.error).toMatchObject({ code: -32_602, data: { code: 'params_invalid' } })
    expect(json.error.message).toContain(text)
    expect(answer).toContain('"id":12345678901234567890')
  }
  expect(agent.waiting).toEqual([])
})

test('[MCP.11] reads null as absent in messages of clients that write all members', async () => {
  const { agent, ask, begin } = await mcpCaller()
  const { session } = await begin()
  for (const message of [
    '{"jsonrpc":"2.0","id":null,"method":"notifications/roots/list_changed","params":null}',
    '{"jsonrpc":"2.0","id":"a","method":null,"params":null,"result":{"action":"accept"},"error":null}',
  ]) {
    const posted = ask(message, session)
    const open = await nextOpen(agent, 'note')
    agent.send({ type: 'end', id: open.id, status: 202 })
    expect((await posted).status).toBe(202)
    expect((await ask(message)).status).toBe(202)
  }
  const request = await ask('{"jsonrpc":"2.0","id":null,"method":"ping"}', session)
  expect([request.status, request.json.error.code]).toEqual([400, -32_600])
})

test('[MCP.11] keeps the bytes of all other members', async () => {
  const { agent, ask, begin } = await mcpCaller()
  const { session } = await begin()
  const heard: string[] = []
  agent.socket.on('message', (data) => heard.push(String(data)))
  const other = '"n":[1.0,1e400,12345678901234567890], "\\u0061":{"_meta":null,"cursor":[]}'
  const posted = ask(text('tools/call', `{"name":"t",${other},"arguments":null}`), session)
  const open = await nextOpen(agent)
  expect(heard.join()).toContain(`"params":{"name":"t",${other.replace(', "', ',"')}}`)
  answerOpen(agent, open, { content: [] })
  await posted
})

test('[MCP.10] treats an empty or repeated MCP-Protocol-Version as absent or as one', async () => {
  const { agent, ask, begin } = await mcpCaller()
  const { session } = await begin()
  for (const version of ['', '2025-11-25, 2025-11-25', MODERN]) {
    const posted = ask(rpc('tools/list'), { ...session, 'mcp-protocol-version': version })
    if (version !== MODERN) answerOpen(agent, await nextOpen(agent), { tools: [] })
    expect((await posted).status).toBe(version === MODERN ? 400 : 200)
  }
})
