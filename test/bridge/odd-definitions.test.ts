import { ListToolsResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { bearer, post } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const ODD: readonly object[] = [
  { name: 'fine', inputSchema: { type: 'object' } },
  { name: 'a', inputSchema: {} },
  { name: 'b', description: null, title: 5, inputSchema: { type: 'object', required: null } },
  { name: 'c', inputSchema: { type: 'object', properties: { x: true } }, outputSchema: null, icons: null },
  { name: 'd', inputSchema: { type: 'array' } },
  { name: 'e', inputSchema: { anyOf: [{}] }, annotations: { readOnlyHint: 'yes' }, execution: null },
]

test('[MCP.9] hides no tool from a strict client on /mcp for odd definitions, and leaves them unchanged on /mcp/{server}', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const peer = await verifiedPeer(at, issued, { v2: true })
  const tools = ODD.map((definition) => ({ hash: '0'.repeat(64), definition }))
  const serverInfo = { name: 's', version: '1' }
  peer.send({ type: 'catalog', servers: [{ state: 'ready', name: 's', serverInfo, tools }] })
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(ODD.length))
  const [all, one] = await Promise.all(
    ['/mcp', '/mcp/s'].map((path) => post(at, path, LIST, bearer(issued.accessToken))),
  )
  const strict = ListToolsResultSchema.parse(all?.json.result)
  expect(strict.tools.map(({ name }) => name)).toEqual(['s__fine', 's__a', 's__b', 's__c', 's__e'])
  expect(one?.json.result.tools).toEqual(ODD)
})

test('[MCP.9] keeps the bytes of everything that it need not repair', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const peer = await verifiedPeer(at, issued, { v2: true })
  const schema = '{"x":{"maximum":1e400}, "y":true,"z":{"maximum":12345678901234567890}}'
  const tool = `{"title":5,"inputSchema":{"properties":${schema}},"b":1.0,"name":"t","a":2.0}`
  const tools = `[{"hash":"${'0'.repeat(64)}","definition":${tool}}]`
  const server = `{"state":"ready","name":"s","serverInfo":{"name":"s","version":"1"},"tools":${tools}}`
  peer.socket.send(`{"type":"catalog","servers":[${server}]}`)
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1))
  const { text } = await post(at, '/mcp', LIST, bearer(issued.accessToken))
  const repaired = '{"x":{"maximum":1e400},"y":{},"z":{"maximum":12345678901234567890}}'
  expect(text).toContain(
    `{"inputSchema":{"type":"object","properties":${repaired}},"b":1.0,"name":"s__t","a":2.0,"_meta":`,
  )
})
