import { beforeAll, expect, test } from 'vitest'
import { connect, fixture, published } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'

const CALL_TIMEOUT_MS = 1_500
const MAX_CALL_MS = 3_000
const MAX_PENDING_CALLS = 3

let bridge: RunningBridge
let token: string

beforeAll(async () => {
  const env = {
    BRIDGEKEEPER_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS),
    BRIDGEKEEPER_MAX_CALL_MS: String(MAX_CALL_MS),
    BRIDGEKEEPER_MAX_PENDING_CALLS: String(MAX_PENDING_CALLS),
  }
  bridge = await serve({ env })
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  const servers = { everything: published('everything'), unruly: fixture('unruly') }
  await connect(bridge, { token, servers })
})

const send = (path: string, body: string | object) => post(bridge, path, body, bearer(token))

async function expectTheRestToWork(): Promise<void> {
  const { json } = await send('/mcp/everything', toolCall('echo', { message: 'still here' }))
  expect(json.result).toEqual({ content: [{ type: 'text', text: 'Echo: still here' }] })
}

test.each([
  ['a server that is not there', '/mcp/nowhere', 'echo', -32056, 'server_not_found', '"nowhere"'],
  ['a server that is not there', '/mcp', 'nowhere__echo', -32056, 'server_not_found', '"nowhere"'],
  [
    'a name that names no server',
    '/mcp',
    'echo',
    -32602,
    'tool_name_invalid',
    'does not begin with the name of a local server',
  ],
])('[MCP.5] fails a call to %s, at %s, with its code', async (_, path, tool, rpcCode, code, text) => {
  const { status, json } = await send(path, toolCall(tool))
  expect(status).toBe(200)
  expect(json).toMatchObject({ id: 1, error: { code: rpcCode, message: expect.stringContaining(text) } })
  expect(json.error.data).toEqual({ code, next: expect.any(String) })
  await expectTheRestToWork()
})

test.each([
  ['a tool that is not there', '/mcp/everything', 'no-such-tool', {}, /Tool no-such-tool not found/],
  ['a tool that is not there', '/mcp', 'everything__no-such-tool', {}, /Tool no-such-tool not found/],
  [
    'arguments that the tool refuses',
    '/mcp/everything',
    'get-sum',
    { a: 'one' },
    /expected number, received string/,
  ],
])('[LOCAL.4] passes %s, at %s, to the server, which answers', async (_, path, tool, args, text) => {
  const { status, json } = await send(path, toolCall(tool, args))
  expect(status).toBe(200)
  expect(json.result).toEqual({
    isError: true,
    content: [{ type: 'text', text: expect.stringMatching(text) }],
  })
  await expectTheRestToWork()
})

test.each([
  ['is not JSON', '{"jsonrpc":', -32700],
  [
    'has arguments that are not an object',
    { ...toolCall('echo'), params: { name: 'echo', arguments: [1] } },
    -32602,
  ],
  ['names no tool', { ...toolCall('echo'), params: { arguments: {} } }, -32602],
  ['asks for a method that is not there', { jsonrpc: '2.0', id: 1, method: 'tools/burn' }, -32601],
])('[MCP.6] answers a request that %s with its JSON-RPC code', async (_, body, rpcCode) => {
  const { json } = await send('/mcp/everything', body)
  expect(json.error).toMatchObject({ code: rpcCode, message: expect.any(String) })
  await expectTheRestToWork()
})

test('[CALL.2] times out a call without an answer at its deadline, and runs the others', async () => {
  const startedMs = performance.now()
  const silent = send('/mcp/unruly', toolCall('nothing'))
  const { json: other } = await send('/mcp/unruly', toolCall('pid'))
  expect(other.result.content[0].text).toMatch(/^\d+$/)
  const { status, json } = await silent
  const tookMs = performance.now() - startedMs
  expect(status).toBe(200)
  expect(json.result).toMatchObject({
    content: [{ type: 'text', text: expect.stringMatching(/Call [\w-]{22}\. Check/) }],
    isError: true,
    _meta: { 'bridgekeeper/code': 'call_timeout' },
  })
  expect(tookMs).toBeGreaterThanOrEqual(CALL_TIMEOUT_MS - 10)
  await expectTheRestToWork()
})

test('[EXCH.5] ends a call that shows progress after the longest duration that is set', async () => {
  const params = {
    name: 'trigger-long-running-operation',
    arguments: { duration: 60, steps: 120 },
    _meta: { progressToken: 'p' },
  }
  const startedMs = performance.now()
  const { text } = await send('/mcp/everything', { ...toolCall(''), params })
  expect(text).toContain('"bridgekeeper/code":"call_timeout"')
  expect(text.match(/notifications\/progress/g)?.length).toBeGreaterThan(1)
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(MAX_CALL_MS - 10)
  await expectTheRestToWork()
})

test('[CALL.5] refuses more calls in flight than are set', async () => {
  const calls = Array.from({ length: MAX_PENDING_CALLS + 1 }, () => send('/mcp/unruly', toolCall('nothing')))
  const codes = (await Promise.all(calls)).map(({ json }) => codeIn(json))
  expect(codes.sort()).toEqual([...Array(MAX_PENDING_CALLS).fill('call_timeout'), 'too_many_calls'])
  await expectTheRestToWork()
})
