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
