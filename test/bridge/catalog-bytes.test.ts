import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { bearer, MODERN, post } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

/** Definitions that no JSON library writes like this. */
const INFO = '{"version":"1" ,"name":"s","build":12345678901234567890}'
const CAPABILITIES = '{"tools":{"x":1e400,"x":2.0},"prompts":{}}'
const SCHEMA =
  '{"maximum":1e400,"type":"object","multipleOf":1.0,"minimum":12345678901234567890, "minimum":-0}'
const NAMED = '"name":"t\\u0065st"'
const TOOL = `{"x-b":[1.0, 2e400],"inputSchema":${SCHEMA},${NAMED},"_meta":{"m":1E+2},"x-a":1}`
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const INITIALIZE = {
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
}

function modern(method: string) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return {
    body: { jsonrpc: '2.0', id: 1, method, params: { _meta } },
    headers: { 'mcp-protocol-version': MODERN, 'mcp-method': method },
  }
}

/** An agent that reports one server with one tool. */
async function setUp(members = '') {
  const at = await startBridge()
  const issued = await at.token('ann')
  const auth = bearer(issued.accessToken)
  const peer = await verifiedPeer(at, issued, { v2: true })
  const tools = `[{"hash":"${'0'.repeat(64)}","definition":${TOOL}}]`
  const server = `{"state":"ready","name":"s","serverInfo":${INFO},"instructions":"Use it.",${members}"tools":${tools}}`
  peer.socket.send(`{"type":"catalog","servers":[${server}]}`)
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1))
  const ask = async (path: string, body: object, headers = {}) =>
    (await post(at, path, body, { ...auth, ...headers })).text
  const sleep = async () => {
    peer.socket.close()
    await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  }
  return { at, ask, sleep, peer }
}

const LISTED_AT_ALL = TOOL.replace(NAMED, '"name":"s__test"').replace(
  '{"m":1E+2}',
  '{"m":1E+2,"bridgekeeper/server":"s","bridgekeeper/tool":"test"}',
)

test.each([
  ['without capabilities', ''],
  ['that takes exchanges', `"capabilities":${CAPABILITIES},`],
])(
  '[CATALOG.4] lists the tools of a server %s from the catalog as the server wrote them',
  async (_, members) => {
    const { at, ask, sleep } = await setUp(members)
    if (members !== '') await sleep()
    else
      expect(at.bridge.listTools('user_ann')).toEqual([
        { server: 's', exposedName: 's__test', definition: JSON.parse(TOOL), definitionText: TOOL },
      ])
    expect(await ask('/mcp/s', LIST)).toBe(`{"jsonrpc":"2.0","id":1,"result":{"tools":[${TOOL}]}}`)
    expect(await ask('/mcp', LIST)).toContain(`{"tools":[${LISTED_AT_ALL}`)
    const { body, headers } = modern('tools/list')
    const listed = await ask('/mcp/s', body, headers)
    expect(listed).toContain(`"tools":[${TOOL}]`)
    expect(listed).toContain(`"io.modelcontextprotocol/serverInfo":${INFO}`)
  },
)

test('[CATALOG.4] introduces a sleeping server in its own words, to clients of both eras', async () => {
  const { ask, sleep } = await setUp(`"capabilities":${CAPABILITIES},`)
  await sleep()
  const { body, headers } = modern('server/discover')
  for (const answer of [await ask('/mcp/s', INITIALIZE), await ask('/mcp/s', body, headers)]) {
    expect(JSON.parse(answer).result).toMatchObject({ instructions: 'Use it.' })
    expect(answer).toContain(`"capabilities":${CAPABILITIES}`)
    expect(answer).toContain(`erverInfo":${INFO}`)
  }
})

test('[CATALOG.4] names a server in the result of a call with its own words', async () => {
  const { at, peer } = await setUp()
  const issued = await at.token('ann')
  const { body, headers } = modern('tools/call')
  const params = { ...body.params, name: 'test', arguments: {} }
  const asked = post(
    at,
    '/mcp/s',
    { ...body, params },
    { ...bearer(issued.accessToken), ...headers, 'mcp-name': 'test' },
  )
  const { id } = await peer.next('tool_execute')
  peer.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await asked).text).toContain(`"io.modelcontextprotocol/serverInfo":${INFO}`)
})

test.each([
  ['the name of a tool', `"definition":{"name":"a","inputSchema":{},"name":"b"}`, ''],
  [
    'the definition of a tool',
    `"definition":{"name":"a","inputSchema":{}},"definition":{"name":"b","inputSchema":{}}`,
    '',
  ],
  ['the capabilities', `"definition":{"name":"a","inputSchema":{}}`, '"capabilities":{},"capabilities":{},'],
])('[CATALOG.4] refuses a catalog that has %s twice', async (_, definition, members) => {
  const { at, peer } = await setUp()
  const tools = `[{"hash":"${'0'.repeat(64)}",${definition}}]`
  const server = `{"state":"ready","name":"s","serverInfo":${INFO},${members}"tools":${tools}}`
  peer.socket.send(`{"type":"catalog","servers":[${server}]}`)
  expect(await peer.next('error')).toMatchObject({ error: 'message_invalid' })
  expect(at.bridge.listTools('user_ann').map(({ definition: { name } }) => name)).toEqual(['test'])
})
