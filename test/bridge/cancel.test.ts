import { expect, test, vi } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { bearer, MODERN, modernToolCall, post, toolCall } from '../support/mcp.ts'

async function setUp() {
  const at = await startBridge()
  const agent = await agentWith(at, 'ann', 's', 't')
  const login = async (headers: Record<string, string> = {}) => {
    const all = { ...bearer((await at.token('ann')).accessToken), 'user-agent': 'client/1', ...headers }
    return (body: object | string, path = '/mcp/s', more: Record<string, string> = {}) =>
      post(at, path, body, { ...all, ...more })
  }
  return { at, agent, login }
}

const cancelled = (requestId: unknown, params: object = {}) => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, reason: 'enough', ...params },
})

/** Whether the agent is asked for nothing before it answers this ping. */
async function isQuiet(agent: Awaited<ReturnType<typeof agentWith>>): Promise<void> {
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(agent.waiting.map(({ type }) => type)).not.toContain('tool_cancel')
}

test('[CALL.11] cancels a call by notifications/cancelled in a separate request, and ends the call’s request', async () => {
  const { agent, login } = await setUp()
  const ask = await login()
  for (const id of ['5', '-1', '1.5', '1764459703123456789', '"a \\u00e9"']) {
    const call = ask(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"t"}}`)
    const frame = await agent.next('tool_execute')
    const told = await ask(
      `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`,
    )
    expect([told.status, told.text]).toEqual([202, ''])
    expect((await agent.next('tool_cancel')).id).toBe(frame.id)
    const { status, text, json } = await call
    expect([status, json.error.data.code]).toEqual([200, 'call_cancelled'])
    expect(text).toContain(`"id":${id},`)
  }
})

test('[CALL.11] matches an id in another spelling of the same value', async () => {
  const { agent, login } = await setUp()
  const ask = await login()
  for (const [id, spelled] of [
    ['5', '5.0'],
    ['"a"', '"\\u0061"'],
  ]) {
    const call = ask(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"t"}}`)
    await agent.next('tool_execute')
    await ask(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${spelled}}}`)
    expect((await call).json.error.data.code).toBe('call_cancelled')
    await agent.next('tool_cancel')
  }
})

test('[CALL.11] does not cancel a call of another login, client, path, id or id type', async () => {
  const { at, agent, login } = await setUp()
  const ask = await login()
  const other = await login()
  const stranger = bearer((await at.token('bob')).accessToken)
  const call = ask(toolCall('t', {}, 5))
  const { id } = await agent.next('tool_execute')
  const notices = [
    other(cancelled(5)),
    post(at, '/mcp/s', cancelled(5), { ...stranger, 'user-agent': 'client/1' }),
    ask(cancelled(5), '/mcp'),
    ask(cancelled(5), '/mcp/s', { 'user-agent': 'client/2' }),
    ask(cancelled(6)),
    ask(cancelled('5')),
    ask(cancelled(null)),
    ask({ jsonrpc: '2.0', method: 'notifications/cancelled' }),
    ask({ jsonrpc: '2.0', method: 'notifications/cancelled', params: [5] }),
  ]
  for (const { status } of await Promise.all(notices)) expect(status).toBe(202)
  await isQuiet(agent)
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await call).json.result).toEqual({ content: [] })
})

test('[CALL.11] distinguishes numbers beyond 53 bits', async () => {
  const { agent, login } = await setUp()
  const ask = await login()
  const call = ask('{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/call","params":{"name":"t"}}')
  const { id } = await agent.next('tool_execute')
  await ask(
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345678901234567891}}',
  )
  await isQuiet(agent)
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await call).json.result).toEqual({ content: [] })
})

test('[CALL.11] cancels the newest of two calls with one id by indistinguishable clients', async () => {
  const { agent, login } = await setUp()
  const ask = await login()
  const older = ask(toolCall('t', {}, 1))
  const first = await agent.next('tool_execute')
  const newer = ask(toolCall('t', {}, 1))
  const second = await agent.next('tool_execute')
  await ask(cancelled(1))
  expect((await agent.next('tool_cancel')).id).toBe(second.id)
  expect((await newer).json.error.data.code).toBe('call_cancelled')
  await ask(cancelled(1))
  expect((await agent.next('tool_cancel')).id).toBe(first.id)
  expect((await older).json.error.data.code).toBe('call_cancelled')
})

test('[CALL.11] cancels one call of a batch, also by a notification in a batch', async () => {
  const { agent, login } = await setUp()
  const ask = await login()
  const batch = ask([toolCall('t', {}, 1), toolCall('t', {}, 2), toolCall('t', {}, 3)])
  await agent.next('tool_execute')
  const second = await agent.next('tool_execute')
  const third = await agent.next('tool_execute')
  expect((await ask([cancelled(2)])).status).toBe(202)
  expect((await agent.next('tool_cancel')).id).toBe(second.id)
  await ask(cancelled(1))
  await agent.next('tool_cancel')
  agent.send({ type: 'tool_result', id: third.id, success: true, result: { content: [] } })
  const codes = (await batch).json.map(
    (answer: { error?: { data: { code: string } } }) => answer.error?.data.code,
  )
  expect(codes).toEqual(['call_cancelled', 'call_cancelled', undefined])
})

test('[CALL.4] cancels each call of a batch when its caller disconnects', async () => {
  const { at, agent } = await setUp()
  const auth = bearer((await at.token('ann')).accessToken)
  const gone = new AbortController()
  const batch = post(at, '/mcp/s', [toolCall('t', {}, 1), toolCall('t', {}, 2)], auth, gone.signal).catch(
    () => 'gone',
  )
  const calls = [await agent.next('tool_execute'), await agent.next('tool_execute')].map(({ id }) => id)
  gone.abort()
  expect(await batch).toBe('gone')
  const told = [await agent.next('tool_cancel'), await agent.next('tool_cancel')].map(({ id }) => id)
  expect(told).toEqual(calls)
})

test('[CALL.11] accepts cancellations of the 2026 revision, and ignores a late one', async () => {
  const { agent, login } = await setUp()
  const ask = await login()
  const { body, headers } = modernToolCall('t')
  const call = ask(body, '/mcp/s', headers)
  await agent.next('tool_execute')
  const notice = cancelled(1, { _meta: body.params._meta })
  const mirrored = { 'mcp-protocol-version': MODERN, 'mcp-method': 'notifications/cancelled' }
  expect((await ask(notice, '/mcp/s', { ...mirrored, 'mcp-method': 'ping' })).status).toBe(400)
  await isQuiet(agent)
  expect((await ask(notice, '/mcp/s', mirrored)).status).toBe(202)
  expect((await call).json.error.data.code).toBe('call_cancelled')
  await agent.next('tool_cancel')
  expect((await ask(cancelled(1))).status).toBe(202)
  const next = ask(toolCall('t', {}, 1))
  await answerNext(agent, { content: [] })
  expect((await next).json.result).toEqual({ content: [] })
  await vi.waitFor(() => expect(agent.waiting.map(({ type }) => type)).not.toContain('tool_cancel'))
})
