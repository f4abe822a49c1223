import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

test('[ROUTE.7] reports in lists that an agent has not sent its catalog yet', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const peer = await verifiedPeer(at, issued, { v2: true })
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const lists = () =>
    Promise.all(['/mcp', '/mcp/notes'].map((path) => post(at, path, list, bearer(issued.accessToken))))
  for (const { json } of await lists()) expect(json.error.data.code).toBe('server_unavailable')
  const waiting = lists()
  peer.send({ type: 'catalog', servers: [] })
  const [all, one] = await waiting
  expect(all?.json.result.tools).toEqual([])
  expect(one?.json.error.data.code).toBe('server_not_found')
})

const READY_NOTES = {
  state: 'ready',
  name: 'notes',
  serverInfo: { name: 'Notes', version: '2' },
  instructions: 'Be kind.',
  tools: [{ hash: '0'.repeat(64), definition: { name: 'read', inputSchema: { type: 'object' } } }],
}

test('[ROUTE.8] waits for a starting server before the first answer, and lists all of it', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const auth = bearer(issued.accessToken)
  const peer = await verifiedPeer(at, issued, { v2: true })
  peer.send({ type: 'catalog', servers: [{ state: 'starting', name: 'notes' }] })
  await vi.waitFor(async () => {
    const call = await post(at, '/mcp/notes', toolCall('read'), auth)
    expect(call.json.result.content[0].text).toContain('It is starting.')
  })
  const asked = ['/mcp', '/mcp/notes'].map((path) =>
    post(at, path, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, auth),
  )
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
  const initialize = (path: string) =>
    post(at, path, { jsonrpc: '2.0', id: 1, method: 'initialize', params }, auth)
  const introduced = initialize('/mcp/notes')
  // Requests that need no local server do not wait for one.
  expect((await initialize('/mcp')).json.result.serverInfo.name).toBe('bridgekeeper')
  peer.send({ type: 'catalog', servers: [READY_NOTES] })
  const [all, one] = await Promise.all(asked)
  expect(all?.json.result.tools).toMatchObject([{ name: 'notes__read' }])
  expect(one?.json.result.tools).toMatchObject([{ name: 'read' }])
  expect((await introduced).json.result).toMatchObject({
    serverInfo: { name: 'Notes', version: '2' },
    instructions: 'Be kind.',
  })
})
