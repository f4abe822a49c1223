import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { codes } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agentWith, answerNext, answerNextWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import {
  bearer,
  codeIn,
  MODERN,
  modernToolCall,
  OTHER_TYPE,
  post,
  type RpcAnswer,
  toolCall,
} from '../support/mcp.ts'
import { dial, refusedUpgrade } from '../support/peer.ts'

async function setUp() {
  const at = await startBridge()
  const peer = await agentWith(at, 'ann', 'notes', 'read')
  const { accessToken } = await at.token('ann')
  return { at, peer, auth: bearer(accessToken) }
}

const SERVER_INFO_KEY = 'io.modelcontextprotocol/serverInfo'

test.each<[string, object]>([
  ['a plain result', { content: [{ type: 'text', text: 'a "quoted" line\n\u2028 é 🎉' }] }],
  ['an error result', { content: [{ type: 'text', text: 'no' }], isError: true }],
  ['structure', { content: [], structuredContent: { a: [1, 2.5, null], '': { '}': '{' } } }],
  ['an image', { content: [{ type: 'image', data: 'AAAA', mimeType: 'image/png' }] }],
  ['no content', { structuredContent: { a: 1 } }],
  ['nothing', {}],
  ['its own _meta', { content: [], _meta: { 'x/y': 1 } }],
  [
    'a _meta that names the server',
    { content: [], _meta: { [SERVER_INFO_KEY]: { name: 'own', version: '2' } } },
  ],
  ['its own resultType', { resultType: 'complete', content: [] }],
])('[MCP.3] answers either content type alike, in both revisions: %s', async (_what, result) => {
  const { at, peer, auth } = await setUp()
  const modern = modernToolCall('read')
  for (const [body, headers] of [
    [toolCall('read'), {}],
    [modern.body, modern.headers],
  ] as const) {
    const answers: unknown[] = []
    for (const path of [{}, OTHER_TYPE]) {
      const posted = post(at, '/mcp/notes', body, { ...auth, ...headers, ...path })
      await answerNext(peer, result)
      const { status, json } = await posted
      answers.push({ status, json })
    }
    expect(answers[0]).toEqual(answers[1])
  }
})

test('[MCP.3] fails alike for either content type', async () => {
  const { at, peer, auth } = await setUp()
  const failures = [
    { success: false, error: 'gone', code: 'server_exited' },
    { success: false, error: 'bad', rpcError: { code: -32602, message: 'bad a', data: { a: 1 } } },
    { success: false, error: 'bad', rpcError: { code: -32601, message: 'no such tool' } },
  ]
  for (const failure of failures) {
    const answers: unknown[] = []
    for (const path of [{}, OTHER_TYPE]) {
      const posted = post(at, '/mcp/notes', toolCall('read'), { ...auth, ...path })
      await answerNextWith(peer, failure)
      const { status, json } = await posted
      answers.push({ status, json })
    }
    expect(answers[0]).toEqual(answers[1])
  }
})

test('[MCP.2] passes a result as the agent’s bytes, with its numbers and spaces', async () => {
  const { at, peer, auth } = await setUp()
  const raw =
    '{ "content" : [],\t"structuredContent":{"n":1.0,"big":12345678901234567890,"b":1,"a":2,"e":"\\u00e9"} }'
  const posted = post(at, '/mcp/notes', toolCall('read', {}, 'id "1"'), auth)
  const { id } = await peer.next('tool_execute')
  peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":${raw}}`)
  expect((await posted).text).toBe(`{"jsonrpc":"2.0","id":"id \\"1\\"","result":${raw}}`)
})

test('[MCP.2] passes arguments as the caller’s bytes', async () => {
  const { at, peer, auth } = await setUp()
  const frames: string[] = []
  peer.socket.on('message', (data) => frames.push(String(data)))
  const args = '{"n":1.0, "big":12345678901234567890,"s":"\\u00e9\\n"}'
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":${args}}}`
  const posted = post(at, '/mcp/notes', body, auth)
  await answerNext(peer, { content: [] })
  await posted
  expect(frames.join()).toContain(`"args":${args}}`)
})

test('[MCP.2] passes arguments as the caller’s bytes when the content type has a charset', async () => {
  const { at, peer, auth } = await setUp()
  const typed = { ...auth, 'content-type': 'Application/JSON;charset="UTF-8"' }
  const posted = post(at, '/mcp/notes', toolCall('read'), typed)
  const { id } = await peer.next('tool_execute')
  peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":{"content":[],"n":1.0}}`)
  expect((await posted).text).toContain('"n":1.0}')
})

test('[MCP.19] answers a call with an empty content if its result has null', async () => {
  const { at, peer, auth } = await setUp()
  const posted = post(at, '/mcp/notes', toolCall('read'), auth)
  const { id } = await peer.next('tool_execute')
  peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":{"n":1.0,"content": null}}`)
  expect((await posted).text).toContain('"result":{"n":1.0,"content": []}')
})

test('[MCP.2] accepts a result whose own keys are escaped', async () => {
  const { at, peer, auth } = await setUp()
  const { body, headers } = modernToolCall('read')
  for (const [request, more] of [
    [toolCall('read'), {}],
    [body, headers],
  ] as const) {
    const posted = post(at, '/mcp/notes', request, { ...auth, ...more })
    const { id } = await peer.next('tool_execute')
    peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":{"\\u0061":1,"content":[]}}`)
    expect((await posted).json.result).toMatchObject({ a: 1, content: [] })
  }
})

test('[MCP.3] accepts results with many own members', async () => {
  const { at, peer, auth } = await setUp()
  const result = { ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, i])), content: [] }
  const modern = modernToolCall('read')
  for (const path of [{}, OTHER_TYPE]) {
    const posted = post(at, '/mcp/notes', modern.body, { ...auth, ...modern.headers, ...path })
    await answerNext(peer, result)
    expect((await posted).json.result).toMatchObject({ ...result, resultType: 'complete' })
  }
})

test('[MCP.4] passes the local server’s JSON-RPC error unchanged', async () => {
  const { at, peer, auth } = await setUp()
  const posted = post(at, '/mcp/notes', toolCall('read'), auth)
  const { id } = await peer.next('tool_execute')
  const rpcError = '{"code":-32602,"message":"x","data":{"n":1.0},"extra":true}'
  peer.send(`{"type":"tool_result","id":"${id}","success":false,"error":"x","rpcError":${rpcError}}`)
  expect((await posted).text).toBe(`{"jsonrpc":"2.0","id":1,"error":${rpcError}}`)
})

test.each<[string, string, object, string]>([
  ['an unknown server', '/mcp/nosuch', toolCall('read'), 'server_not_found'],
  ['an unknown server on /mcp', '/mcp', toolCall('nosuch__read'), 'server_not_found'],
  ['a name without a server on /mcp', '/mcp', toolCall('read'), 'tool_name_invalid'],
  [
    'the list of an unknown server',
    '/mcp/nosuch',
    { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    'server_not_found',
  ],
])(
  '[MCP.5] answers %s with a JSON-RPC error that has a stable code and a next step',
  async (_what, path, body, code) => {
    const { at, auth } = await setUp()
    const { status, json } = await post(at, path, body, auth)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      id: 1,
      error: { code: expect.any(Number), data: { code, next: expect.any(String) } },
    })
  },
)

test('[MCP.5] answers calls and lists with agent_offline without an agent', async () => {
  const at = await startBridge()
  const auth = bearer((await at.token('ann')).accessToken)
  for (const path of ['/mcp', '/mcp/notes']) {
    expect(codeIn((await post(at, path, toolCall('notes__read'), auth)).json), path).toBe('agent_offline')
  }
})

test.each<[string, string, number, number]>([
  ['no JSON', '{"jsonrpc":', 400, -32700],
  ['no JSON-RPC', '{"hello":1}', 400, -32600],
  [
    'a broken argument',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"a":01}}}',
    400,
    -32700,
  ],
])('[MCP.6] refuses a body with %s', async (_what, body, status, code) => {
  const { at, peer, auth } = await setUp()
  expect(await post(at, '/mcp/notes', body, auth)).toMatchObject({ status, json: { error: { code } } })
  expect(peer.waiting).toEqual([])
})

test('[MCP.6] refuses a body that is not UTF-8, and keeps the agent connected', async () => {
  const { at, peer, auth } = await setUp()
  for (const path of [{}, OTHER_TYPE]) {
    const body = Buffer.from(JSON.stringify(toolCall('read', { text: '#' })).replace('#', '\xff'), 'latin1')
    expect(await post(at, '/mcp/notes', body, { ...auth, ...path })).toMatchObject({
      status: 400,
      json: { error: { code: -32700 } },
    })
  }
  peer.send({ type: 'ping' })
  await peer.next('pong')
})

test('[MCP.6] refuses arguments that are not an object before they reach the agent', async () => {
  const { at, peer, auth } = await setUp()
  for (const args of ['[1]', '"a"', '5', 'true']) {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":${args}}}`
    expect((await post(at, '/mcp/notes', body, auth)).json).toHaveProperty('error')
  }
  expect(peer.waiting).toEqual([])
})

test('[MCP.7] refuses headers of the 2026 revision that contradict the body with -32020', async () => {
  const { at, peer, auth } = await setUp()
  const { body, headers } = modernToolCall('read')
  const lies: Record<string, string>[] = [
    { ...headers, 'mcp-name': 'delete' },
    { ...headers, 'mcp-method': 'tools/list' },
    { ...headers, 'mcp-protocol-version': '2025-11-25' },
    { 'mcp-protocol-version': MODERN },
  ]
  for (const lie of lies) {
    expect(await post(at, '/mcp/notes', body, { ...auth, ...lie })).toMatchObject({
      status: 400,
      json: { error: { code: -32020 } },
    })
  }
  const escaped = JSON.stringify(body).replaceAll('modelcontextprotocol/', 'modelcontextprotocol\\/')
  const asLegacy = { ...auth, 'mcp-protocol-version': '2025-11-25' }
  expect((await post(at, '/mcp/notes', escaped, asLegacy)).json.error.code).toBe(-32020)
  expect(peer.waiting).toEqual([])
})

test('[AUTH.10] refuses callers without a valid token by status and code, with WWW-Authenticate on 401', async () => {
  const { at } = await setUp()
  const { accessToken } = await at.token('ann')
  const expired = await at.token('ann', -5_000)
  const stranger = await at.token('stranger')
  const refused = async (path: string, headers: Record<string, string>): Promise<RpcAnswer> =>
    post(at, path, toolCall('read'), headers)
  expect(await refused('/mcp/notes', {})).toMatchObject({
    status: 401,
    json: { error: { data: { code: 'token_missing' } } },
  })
  const answers = {
    token_expired: await refused('/mcp', bearer(expired.accessToken)),
    token_invalid: await refused('/mcp', bearer(`${accessToken}x`)),
    user_unknown: await refused('/mcp', bearer(stranger.accessToken)),
  }
  for (const [code, answer] of Object.entries(answers)) {
    expect(answer).toMatchObject({ status: 401, json: { error: { data: { code } } } })
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
  }
  expect(await refused(`/mcp?access_token=${accessToken}`, {})).toMatchObject({
    status: 400,
    json: { error: { data: { code: 'token_in_url' } } },
  })
  for (const answer of Object.values(answers)) expect(answer.text).not.toContain(accessToken.slice(-20))
})

test('[API.1] callTool returns the result; listTools returns server, exposed name, definition and its text', async () => {
  const { at, peer } = await setUp()
  const call = at.bridge.callTool('user_ann', 'notes', 'read', { a: 1 })
  await answerNext(peer, { content: [], n: 1 })
  expect(await call).toEqual({ content: [], n: 1 })
  expect(at.bridge.listTools('user_ann')).toEqual([
    {
      server: 'notes',
      exposedName: 'notes__read',
      definition: { name: 'read', inputSchema: { type: 'object' } },
      definitionText: '{"name":"read","inputSchema":{"type":"object"}}',
    },
  ])
})

test('[API.2] handles only its own paths when attached to an app’s server', async () => {
  const { bridge } = await startBridge()
  const app = createServer((request, response) => void response.end(`app ${request.url}`))
  const upgraded = vi.fn((_request: unknown, socket: { destroy(): void }) => socket.destroy())
  app.on('upgrade', upgraded)
  bridge.attach(app)
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void app.close())
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`
  expect(await (await fetch(`${url}/hello`)).text()).toBe('app /hello')
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' })
  expect((await post({ url }, '/mcp', toolCall('x'))).status).toBe(401)
  expect((await fetch(`${url}/api/mcp-ws`)).status).toBe(426)
  const other = new WebSocket(`${url.replace('http', 'ws')}/live`)
  await new Promise((resolve) => other.addEventListener('error', resolve))
  expect(upgraded).toHaveBeenCalledOnce()
})

test('[API.2] answers a request that offers an upgrade to another protocol', async () => {
  const { at } = await setUp()
  const app = createServer((_request, response) => void response.end('app'))
  at.bridge.attach(app)
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void app.close())
  const { port } = app.address() as AddressInfo
  const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' }
  expect(await statusOf(port, '/page', offer)).toBe(200)
  expect(await statusOf(port, '/mcp', offer)).toBe(401)
})

test('[API.2] leaves other upgrades to a listener that the app adds later', async () => {
  const at = await startBridge()
  const upgraded = vi.fn((_request: unknown, socket: Duplex) => void socket.destroy())
  at.server.on('upgrade', upgraded)
  const other = new WebSocket(`${at.url.replace('http', 'ws')}/live`)
  await new Promise((resolve) => other.addEventListener('error', resolve))
  expect(upgraded).toHaveBeenCalledOnce()
})

function statusOf(port: number, path: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path, headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('[API.1] refuses arguments that JSON cannot hold or that are not an object, with a code', async () => {
  const { at } = await setUp()
  for (const args of [{ n: 1n }, [1, 2]] as Record<string, unknown>[]) {
    await expect(at.bridge.callTool('user_ann', 'notes', 'read', args)).rejects.toMatchObject({
      code: 'arguments_invalid',
    })
  }
})

test('[API.3] answers an unknown path with 404 and a code, without an app', async () => {
  const { url } = await startBridge()
  for (const path of ['/', '/mcp//', '/mcp/a/b', '/mcp/%E0%A4%A', '/mcpx']) {
    const response = await fetch(url + path)
    expect([response.status, await response.json()], path).toMatchObject([
      404,
      { error: { data: { code: 'not_found' } } },
    ])
  }
})

test('[STOP.1] on close, finishes a running call, refuses new ones, and closes agents with 1001', async () => {
  const { at, peer, auth } = await setUp()
  const running = post(at, '/mcp/notes', toolCall('read'), auth)
  const { id } = await peer.next('tool_execute')
  const closing = at.bridge.close(5_000)
  expect((await fetch(`${at.url}/readyz`)).status).toBe(503)
  expect(await post(at, '/mcp/notes', toolCall('read'), auth)).toMatchObject({
    status: 503,
    json: { error: { data: { code: 'shutting_down' } } },
  })
  await expect(at.bridge.callTool('user_ann', 'notes', 'read')).rejects.toMatchObject({
    code: 'shutting_down',
  })
  peer.send({ type: 'tool_execute', id: 'x', serverName: 'notes', toolName: 'read' })
  expect(await peer.next('tool_result')).toMatchObject({ id: 'x', success: false, code: 'shutting_down' })
  const newcomer = await refusedUpgrade(dial(at, { token: (await at.token('bob')).accessToken, v2: true }))
  expect(newcomer).toMatchObject({ status: 503, body: { error: { code: 'shutting_down' } } })
  peer.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await running).json.result).toEqual({ content: [] })
  await closing
  expect(await peer.closed).toEqual({ code: 1001, reason: 'shutting_down' })
})

test('[CODE.2] writes each sentence of an agent’s error once, to callers, apps and sockets', async () => {
  const { at, peer, auth } = await setUp()
  const text = codes.server_exited.message
  for (const error of [text, `${text} Its exit code was 3.`]) {
    const failure = { success: false, error, code: 'server_exited' }
    const posted = post(at, '/mcp/notes', toolCall('read'), auth)
    await answerNextWith(peer, failure)
    const { next } = codes.server_exited
    expect((await posted).json.result.content[0].text).toBe(`${error} ${next}`)
    const called = at.bridge.callTool('user_ann', 'notes', 'read')
    await answerNextWith(peer, failure)
    await expect(called).rejects.toMatchObject({ message: error })
    peer.send({ type: 'tool_execute', id: 'own', serverName: 'notes', toolName: 'read' })
    await answerNextWith(peer, failure)
    expect((await peer.next('tool_result')).error).toBe(error)
  }
})
