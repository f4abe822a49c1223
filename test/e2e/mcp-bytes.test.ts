import { beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, fixture, published, type ServerEntry } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { rpc } from '../support/mcp-client.ts'
import { Program } from '../support/program.ts'
import {
  ODD_CAPABILITIES,
  ODD_DEFINITION,
  ODD_ERROR,
  ODD_INFO,
  ODD_META_RESULT,
  ODD_RESULT,
} from './fixtures/odd-result.ts'

const CALLS: [string, object][] = [
  ['get-tiny-image', {}],
  ['get-structured-content', { location: 'New York' }],
  ['echo', { message: 'ü 🌉 \u2028' }],
]
const VERSION = '2026-07-28'
const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': VERSION,
  'io.modelcontextprotocol/clientInfo': { name: 'end-to-end', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

let bridge: RunningBridge
let token: string

beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  await connect(bridge, {
    token,
    servers: { everything: published('everything'), odd: fixture('odd-bytes') },
  })
})

describe('2025-11-25', () => {
  test.each(CALLS)('[MCP.2] returns the result of %s as its server’s bytes', async (tool, args) => {
    const result = await resultBytes(published('everything'), tool, args)
    expect(result.length).toBeGreaterThan(20)
    const { text } = await post(bridge, '/mcp/everything', toolCall(tool, args, 7), bearer(token))
    expect(text).toBe(`{"jsonrpc":"2.0","id":7,"result":${result}}`)
  })

  test('[MCP.2] keeps every byte of a result in unusual JSON', async () => {
    const { text } = await post(bridge, '/mcp', toolCall('odd__odd', {}, 'a'), bearer(token))
    expect(text).toBe(`{"jsonrpc":"2.0","id":"a","result":${ODD_RESULT}}`)
  })

  test('[MCP.4] keeps every byte of a server’s own error', async () => {
    const { text } = await post(bridge, '/mcp/odd', toolCall('error', {}, 'b'), bearer(token))
    expect(text).toBe(`{"jsonrpc":"2.0","id":"b","error":${ODD_ERROR}}`)
  })
})

describe('2026-07-28', () => {
  test.each(CALLS)('[MCP.2] adds only its two members to the bytes of %s', async (tool, args) => {
    const { text } = await postModern('/mcp/everything', tool, args)
    const added = addedTo(await resultBytes(published('everything'), tool, args), text)
    const serverInfo = {
      name: 'mcp-servers/everything',
      title: 'Everything Reference Server',
      version: '2.0.0',
    }
    expect(added).toEqual({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
    })
  })

  test('[MCP.2] keeps unusual JSON and a server’s own _meta', async () => {
    const { text } = await postModern('/mcp/odd', 'odd', {})
    expect(Object.keys(addedTo(ODD_RESULT, text))).toEqual(['resultType', '_meta'])

    const { text: withMeta } = await postModern('/mcp/odd', 'meta', {})
    const serverInfo = JSON.stringify({ name: 'fixture', version: '1.0.0' })
    const meta = `{ "own":true ,"io.modelcontextprotocol/serverInfo":${serverInfo}}`
    const kept = ODD_META_RESULT.replace('"_meta" : { "own":true } ,', '').slice(0, -1)
    expect(withMeta).toBe(
      `{"jsonrpc":"2.0","id":7,"result":${kept},"resultType":"complete","_meta":${meta}}}`,
    )
  })
})

test('[CATALOG.4] lists and introduces a sleeping server with the bytes that it wrote when it was awake', async () => {
  const { accessToken } = await login(bridge.data, 'eve@example.com')
  const agent = await connect(bridge, { token: accessToken, servers: { odd: fixture('odd-list') } })
  const list = (path: string) => post(bridge, path, rpc('tools/list'), bearer(accessToken))
  const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } }
  const introduction = async () =>
    (await post(bridge, '/mcp/odd', rpc('initialize', hello), bearer(accessToken))).json.result
  const awake = {
    one: (await list('/mcp/odd')).text,
    all: (await list('/mcp')).text,
    hello: await introduction(),
  }
  expect(awake.one).toContain(`{"tools":[${ODD_DEFINITION}]}`)
  agent.program.signal('SIGTERM')
  await vi.waitFor(async () => expect((await list('/mcp')).text).toContain('bridgekeeper__status'))
  expect((await list('/mcp/odd')).text).toBe(awake.one)
  const [item] = /(?<="tools":\[).*(?=\])/.exec(awake.all) ?? []
  expect((await list('/mcp')).text).toContain(`"tools":[${item},{"name":"bridgekeeper__status"`)
  const { text } = await post(bridge, '/mcp/odd', rpc('initialize', hello), bearer(accessToken))
  expect(text).toContain(`"serverInfo":${ODD_INFO},"capabilities":${ODD_CAPABILITIES}`)
  expect(JSON.parse(text).result).toEqual(awake.hello)
})

function postModern(path: string, name: string, args: object) {
  const params = { name, arguments: args, _meta: MODERN_META }
  const headers = { 'mcp-protocol-version': VERSION, 'mcp-method': 'tools/call', 'mcp-name': name }
  const body = { jsonrpc: '2.0', id: 7, method: 'tools/call', params }
  return post(bridge, path, body, { ...bearer(token), ...headers })
}

/** The members that a response has after the server's own, which must be there byte for byte. */
function addedTo(result: string, response: string): object {
  const start = `{"jsonrpc":"2.0","id":7,"result":${result.trimEnd().slice(0, -1)},`
  expect(response.slice(0, start.length)).toBe(start)
  return JSON.parse(`{${response.slice(start.length, -1)}`)
}

/** Reads a result as the server itself writes it. */
async function resultBytes(server: ServerEntry, name: string, args: object): Promise<string> {
  const program = new Program(server.command, server.args)
  const clientInfo = { name: 'end-to-end', version: '1.0.0' }
  const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
  for (const message of [
    { jsonrpc: '2.0', id: 'hello', method: 'initialize', params: hello },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    toolCall(name, args, 'direct'),
  ]) {
    program.write(`${JSON.stringify(message)}\n`)
  }
  return program.printed(
    (stdout) => /^\{"result":([^\n]*),"jsonrpc":"2\.0","id":"direct"\}\n/m.exec(stdout)?.[1],
  )
}
