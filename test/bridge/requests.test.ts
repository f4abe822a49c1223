import { expect, test } from 'vitest'
import { answerNext } from '../support/agents.ts'
import { BIG, callText, ENVELOPE, RESULT, setUpCaller } from '../support/caller.ts'
import { codeIn, MODERN, modernToolCall, toolCall } from '../support/mcp.ts'
import { rawClient } from '../support/raw.ts'

const IDS = [
  '1',
  '-1',
  '0',
  '-0',
  '1764459703123456',
  '1764459703123456789',
  '18446744073709551615',
  '1.5',
  '1.0',
  '1e3',
  '1E400',
  '""',
  '"a \\u00e9 \\/ \\"quoted\\""',
  '"é 🎉"',
]

test('[MCP.14] returns any id byte for byte, and changes no number in arguments or results', async () => {
  const { ask, answer, frames } = await setUpCaller()
  for (const id of IDS) {
    const args = `{"n":${BIG}, "e":1e400,"id":${id}}`
    const posted = ask(callText(id, args))
    await answer()
    expect((await posted).text).toBe(`{"jsonrpc":"2.0","id":${id},"result":${RESULT}}`)
    expect(frames.at(-1)).toContain(`"args":${args}}`)
  }
})

test('[MCP.14] returns any id byte for byte from every method, in both revisions', async () => {
  const { ask } = await setUpCaller()
  for (const id of IDS) {
    for (const method of ['initialize', 'ping', 'tools/list', 'no/such']) {
      const { text } = await ask(`{"jsonrpc":"2.0","id":${id},"method":"${method}"}`)
      expect(text).toContain(`"id":${id},`)
    }
    for (const method of ['server/discover', 'tools/list', 'no/such']) {
      const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': method }
      const body = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":{"_meta":${JSON.stringify(ENVELOPE)}}}`
      expect((await ask(body, headers)).text).toContain(`"id":${id},`)
      expect((await ask(body, { ...headers, 'mcp-method': 'ping' })).text).toContain(`"id":${id},`)
    }
  }
})

test.each<[string, (text: string) => string | Buffer, Record<string, string>]>([
  ['charset=utf8', (text) => text, { 'content-type': 'application/json; charset=utf8' }],
  ['charset="UTF-8"', (text) => text, { 'content-type': 'Application/JSON ;Charset="UTF-8"' }],
  ["charset='utf-8'", (text) => text, { 'content-type': "application/json; charset='utf-8'" }],
  ['charset=ascii', (text) => text, { 'content-type': 'application/json;charset=ASCII' }],
  ['an empty charset', (text) => text, { 'content-type': 'application/json; charset=' }],
  [
    'charset and another parameter',
    (text) => text,
    { 'content-type': 'application/json; charset=UTF-8; x=1' },
  ],
  ['a byte order mark', (text) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]), {}],
  ['white space', (text) => ` \n${text.replaceAll(',', ' ,\t')}\r\n`, {}],
  ['members in another order', reversed, {}],
  ['members that MCP does not know', (text) => text.replace('{', '{"x":{"id":2},"y":[1],'), {}],
  [
    'keys with escapes',
    (text) => text.replace('"method"', '"\\u006dethod"').replace('"name"', '"n\\u0061me"'),
    {},
  ],
  ['identity', (text) => text, { 'content-encoding': 'identity' }],
])('[MCP.14] reads a call alike with %s', async (_what, write, headers) => {
  const { ask, answer, frames } = await setUpCaller()
  const posted = ask(write(callText('1764459703123456789', `{"n":${BIG}}`)), headers)
  await answer()
  expect((await posted).text).toBe(`{"jsonrpc":"2.0","id":1764459703123456789,"result":${RESULT}}`)
  expect(frames.at(-1)).toContain(`"n":${BIG}`)
})

/** Reverses the order of members, like the Python SDK. */
function reversed(text: string): string {
  const [, id, rest] = /^\{"jsonrpc":"2.0","id":(\d+),(.*)\}$/.exec(text) ?? []
  return `{${rest},"jsonrpc":"2.0","id":${id}}`
}

test.each([
  '*/*',
  'application/*',
  'application/json',
  'text/html, application/json;q=0.5',
  'application/json;q=1',
  'text/event-stream;Q=0, application/json',
  'text/event-stream;q=0, */*',
])('[MCP.10] answers "Accept: %s" with JSON', async (accept) => {
  const { ask, answer } = await setUpCaller()
  const posted = ask(callText('1'), { accept })
  await answer()
  const { status, headers, text } = await posted
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
  expect(text).toBe(`{"jsonrpc":"2.0","id":1,"result":${RESULT}}`)
})

test('[MCP.10] answers a request without Accept and Content-Type with JSON', async () => {
  const { at, auth, answer } = await setUpCaller()
  const client = await rawClient(at.port)
  const sent = callText('1')
  client.write(
    `POST /mcp/notes HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${auth.authorization}\r\ncontent-length: ${sent.length}\r\n\r\n${sent}`,
  )
  await answer()
  const { status, body: text } = await client.answer()
  expect([status, text]).toEqual([200, `{"jsonrpc":"2.0","id":1,"result":${RESULT}}`])
})

test.each([
  'text/event-stream',
  'text/*',
  'application/json;q=0, text/event-stream',
  'application/json ; Q=0.00, text/event-stream',
  'application/json;q=0, */*',
  '*/*, application/*;q=0',
])('[MCP.10] answers "Accept: %s" with one event', async (accept) => {
  const { ask, peer } = await setUpCaller()
  const posted = ask(callText('1'), { accept })
  const { id } = await peer.next('tool_execute')
  peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":{\n"content":\r\n[]}}`)
  const { status, headers, text } = await posted
  expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream'])
  expect(text).toBe(
    'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{\ndata: "content":\ndata: []}}\n\n',
  )
  const list = await ask({ jsonrpc: '2.0', id: 2, method: 'tools/list' }, { accept })
  expect(list.json.result.tools).toHaveLength(1)
  const unknown = await ask(toolCall('x__y'), { accept }, '/mcp')
  expect(unknown.text).toMatch(/^event: message\ndata: \{.*server_not_found/)
})

test.each([
  [406, 'not_acceptable', { accept: 'text/html' }],
  [406, 'not_acceptable', { accept: 'application/json;q=0' }],
  [406, 'not_acceptable', { accept: 'Application/JSON; Q=0.0' }],
  [406, 'not_acceptable', { accept: 'application/json;q=0, text/event-stream;q=0, */*' }],
  [415, 'content_type_unsupported', { 'content-type': 'text/plain' }],
  [415, 'content_type_unsupported', { 'content-type': 'application/jsonx' }],
  [415, 'content_type_unsupported', { 'content-type': 'application/json; charset=utf-16' }],
  [415, 'content_type_unsupported', { 'content-type': 'application/json; charset="iso-8859-1"' }],
  [415, 'content_encoding_unsupported', { 'content-encoding': 'gzip' }],
  [415, 'content_encoding_unsupported', { 'content-encoding': 'br, identity' }],
])('[MCP.10] answers %s %s to %o', async (status, code, headers) => {
  const { ask, peer } = await setUpCaller()
  const answer = await ask(callText('1'), headers)
  expect(answer).toMatchObject({ status, json: { id: null, error: { code: -32600, data: { code } } } })
  if (code === 'content_encoding_unsupported') expect(answer.headers.get('accept-encoding')).toBe('identity')
  expect(peer.waiting).toEqual([])
})

test('[MCP.11] treats empty arguments and _meta as absent, in any spelling', async () => {
  const { ask, peer } = await setUpCaller()
  for (const empty of ['null', '[]', '[ \n]', '{}', undefined]) {
    const members = empty === undefined ? '' : `,"arguments":${empty},"_meta":${empty}`
    const posted = ask(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"${members}}}`)
    const { id, args } = await peer.next('tool_execute')
    expect(args).toEqual({})
    peer.send({ type: 'tool_result', id, success: true, result: { content: [] } })
    expect((await posted).json).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [] } })
  }
})

test('[MCP.11] treats empty parameters, cursors and capabilities as absent', async () => {
  const { ask } = await setUpCaller()
  for (const params of ['null', '[]', '{}', '{"cursor":null}', '{"cursor":""}', '{"cursor":[],"_meta":[]}']) {
    const { json } = await ask(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${params}}`)
    expect(json.result.tools, params).toHaveLength(1)
    expect((await ask(`{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`)).json.result).toEqual({})
  }
  for (const params of ['null', '[]', '{"capabilities":[],"clientInfo":null}', '{"protocolVersion":null}']) {
    const { json } = await ask(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":${params}}`)
    expect(json.result, params).toMatchObject({
      protocolVersion: '2025-11-25',
      serverInfo: { name: 'notes' },
    })
  }
})

test('[LOAD.9] refuses a method or tool name over 2,048 characters', async () => {
  const { ask, peer } = await setUpCaller()
  const long = 'n'.repeat(2_049)
  const { json } = await ask({ jsonrpc: '2.0', id: 1, method: long })
  expect([json.id, codeIn(json)]).toEqual([1, 'request_invalid'])
  for (const path of ['/mcp', '/mcp/notes'])
    expect(codeIn((await ask(toolCall(long), {}, path)).json)).toBe('params_invalid')
  expect(codeIn((await ask({ jsonrpc: '2.0', id: 1, method: long.slice(1) })).json)).not.toBe(
    'request_invalid',
  )
  expect(peer.waiting).toEqual([])
})

test('[MCP.12] negotiates the client’s protocol version, or else the newest', async () => {
  const { ask } = await setUpCaller()
  for (const [asked, agreed] of [
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', '2025-03-26'],
    ['1999-01-01', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
  ]) {
    const params = { protocolVersion: asked, capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    expect((await ask({ jsonrpc: '2.0', id: 1, method: 'initialize', params })).json).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        protocolVersion: agreed,
        capabilities: { tools: {} },
        serverInfo: { name: 'notes', version: '1' },
      },
    })
  }
})

test.each<[string, string, number, number, string, string]>([
  ['params', '"params":"x"', 200, -32602, 'params_invalid', '"params"'],
  ['params as a filled list', '"params":["read"]', 200, -32602, 'params_invalid', '"params"'],
  ['no name', '"params":null', 200, -32602, 'params_invalid', '"params.name"'],
  ['a name', '"params":{"name":5}', 200, -32602, 'params_invalid', '"params.name"'],
  [
    'arguments',
    '"params":{"name":"read","arguments":[1]}',
    200,
    -32602,
    'arguments_invalid',
    '"params.arguments"',
  ],
  [
    'arguments as text',
    '"params":{"name":"read","arguments":"{}"}',
    200,
    -32602,
    'arguments_invalid',
    'arguments',
  ],
  ['_meta', '"params":{"name":"read","_meta":1}', 200, -32602, 'params_invalid', '"params._meta"'],
  [
    'arguments twice',
    '"params":{"name":"read","arguments":{},"arguments":{}}',
    200,
    -32602,
    'params_invalid',
    '"params.arguments" occurs twice',
  ],
  [
    'a name twice',
    '"params":{"name":"read","n\\u0061me":"erase"}',
    200,
    -32602,
    'params_invalid',
    '"params.name" occurs twice',
  ],
  ['a method twice', '"method":"ping"', 400, -32600, 'request_invalid', '"method" occurs twice'],
])(
  '[MCP.11] refuses a call under its id, and names the wrong member: %s',
  async (_what, members, status, rpc, code, text) => {
    const { ask, peer } = await setUpCaller()
    const answer = await ask(`{"method":"tools/call",${members},"jsonrpc":"2.0","id":1764459703123456789}`)
    expect(answer).toMatchObject({ status, json: { error: { code: rpc, data: { code } } } })
    expect(answer.text).toContain('"id":1764459703123456789')
    expect(answer.json.error.message).toContain(text)
    expect(peer.waiting).toEqual([])
  },
)

test.each<[string, string, string]>([
  ['{"id":7,"method":"ping"}', '7', '"jsonrpc"'],
  ['{"jsonrpc":"1.0","id":7,"method":"ping"}', '7', '"jsonrpc"'],
  ['{"jsonrpc":"2.0","id":7}', '7', '"method"'],
  ['{"jsonrpc":"2.0","id":7,"method":null}', '7', '"method"'],
  ['{"jsonrpc":"2.0","id":null,"method":"ping"}', 'null', '"id"'],
  ['{"jsonrpc":"2.0","id":{},"method":"ping"}', 'null', '"id"'],
  ['{"jsonrpc":"2.0","id":true,"method":"ping"}', 'null', '"id"'],
  ['{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 'null', '"id" occurs twice'],
  ['5', 'null', 'not an object'],
  ['"text"', 'null', 'not an object'],
])('[MCP.11] refuses %s as an invalid request, not as malformed JSON', async (body, id, text) => {
  const { ask } = await setUpCaller()
  const answer = await ask(body)
  expect(answer).toMatchObject({
    status: 400,
    json: { error: { code: -32600, data: { code: 'request_invalid' } } },
  })
  expect(answer.text).toContain(`"id":${id},`)
  expect(answer.json.error.message).toContain(text)
})

const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

test('[JSON.6] passes arguments of any depth', async () => {
  const { ask, peer, answer } = await setUpCaller()
  for (const body of [callText('9', nested(100_000)), reversed(callText('9', nested(1_000)))]) {
    const posted = ask(body)
    await answer()
    expect((await posted).text).toContain(RESULT)
  }
  expect(peer.waiting).toEqual([])
})

test('[MCP.7] reads a base64 name header of the 2026 revision, and refuses an unknown version under the id', async () => {
  const { ask, peer } = await setUpCaller()
  const { body, headers } = modernToolCall('read')
  const name = `=?base64?${Buffer.from('read').toString('base64')}?=`
  const posted = ask(body, { ...headers, 'mcp-name': name })
  await answerNext(peer, { content: [] })
  expect((await posted).json.result.resultType).toBe('complete')
  const other = `=?base64?${Buffer.from('erase').toString('base64')}?=`
  expect((await ask(body, { ...headers, 'mcp-name': other })).json.error.code).toBe(-32020)
  for (const invalid of ['cmVhZA', 'cmVh ZA==', '!', '/w==', 'cmVhZA=='.repeat(2)]) {
    const { status, json } = await ask(body, { ...headers, 'mcp-name': `=?base64?${invalid}?=` })
    expect([status, json.error.code], invalid).toEqual([400, -32020])
  }
  const old = await ask(callText(BIG), { 'mcp-protocol-version': '1999-01-01' })
  expect([old.status, old.json.error.code]).toEqual([400, -32000])
  expect(old.text).toContain(`"id":${BIG}`)
  const claim = { ...ENVELOPE, 'io.modelcontextprotocol/protocolVersion': '2025-11-25' }
  const claimed = await ask({ jsonrpc: '2.0', id: 1, method: 'ping', params: { _meta: claim } })
  await expect([claimed.status, claimed.json.error.code]).toEqual([400, -32022])
  expect(peer.waiting).toEqual([])
})

test('[PATH.1] answers a call with an absolute-form target, and 404 for one of another host', async () => {
  const { at, auth, answer } = await setUpCaller()
  const sent = callText('1')
  const ask = async (target: string) => {
    const client = await rawClient(at.port)
    const lines = [
      `POST ${target} HTTP/1.1`,
      `host: 127.0.0.1:${at.port}`,
      `authorization: ${auth.authorization}`,
    ]
    client.write(`${lines.join('\r\n')}\r\ncontent-length: ${sent.length}\r\n\r\n${sent}`)
    return client
  }
  const client = await ask(`http://127.0.0.1:${at.port}/mcp/notes`)
  await answer()
  expect((await client.answer()).status).toBe(200)
  expect((await (await ask('http://other.example/mcp/notes')).answer()).status).toBe(404)
})
