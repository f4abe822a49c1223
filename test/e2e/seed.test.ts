import type { IssuedToken } from '@bridgekeeper/bridge'
import { beforeAll, expect, test, vi } from 'vitest'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { clientKinds } from './clients.ts'
import { SeedClient } from './seed-client.ts'

let bridge: RunningBridge
let ann: IssuedToken

beforeAll(async () => {
  bridge = await serve()
  ann = await login(bridge.data, 'ann@example.com')
})

const agentsUrl = () => `ws://127.0.0.1:${bridge.port}/api/mcp-ws`

/** A verified client whose tools echo their arguments as an MCP result. */
async function verifiedClient(): Promise<SeedClient> {
  const client = new SeedClient(agentsUrl(), ann, (server, tool, args) => {
    if (tool === 'fail') throw new Error('disk full')
    return { content: [{ type: 'text', text: JSON.stringify({ server, tool, args }) }] }
  })
  await vi.waitFor(() => expect(client.challengeVerified).toBe(true))
  return client
}

test('[SEED.1] verifies the seed’s client by its cookie and answer, and answers its pings', async () => {
  const client = await verifiedClient()
  expect(client.received).toEqual(['challenge', 'challenge_verified'])
  client.ping()
  await vi.waitFor(() => expect(client.received.at(-1)).toBe('pong'))
})

test('[SEED.1] runs a tools/call on /mcp/{server} at the seed’s client, and returns its result', async () => {
  await verifiedClient()
  const args = { path: 'ü', deep: { n: [1, null] } }
  const { json } = await post(bridge, '/mcp/notes', toolCall('read', args), bearer(ann.accessToken))
  const text = JSON.stringify({ server: 'notes', tool: 'read', args })
  expect(json).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text }] } })

  const failed = await post(bridge, '/mcp/notes', toolCall('fail'), bearer(ann.accessToken))
  expect(failed.json.result).toEqual({ content: [{ type: 'text', text: 'Error: disk full' }], isError: true })
})

test.each(clientKinds.map((kind) => [kind.name, kind] as const))(
  '[SEED.1] %s calls a tool of the seed’s client',
  async (_, { overHttp }) => {
    await verifiedClient()
    const client = await overHttp(`${bridge.url}/mcp`, ann.accessToken)
    const result = await client.callTool({ name: 'notes__read', arguments: { path: 'x' } })
    const text = JSON.stringify({ server: 'notes', tool: 'read', args: { path: 'x' } })
    expect(result).toMatchObject({ content: [{ type: 'text', text }] })
  },
)

test('[SEED.3] answers a wrong answer with its code, routes it no calls, and keeps other agents', async () => {
  const right = await verifiedClient()
  const wrong = new SeedClient(agentsUrl(), { ...ann, sessionId: 'not-this-login' }, () => 'stolen')
  await vi.waitFor(() => expect(wrong.received).toEqual(['challenge', 'error challenge_failed']))
  const { json } = await post(bridge, '/mcp/notes', toolCall('read'), bearer(ann.accessToken))
  expect(json.result.content[0].text).toContain('notes')
  expect(wrong.received).not.toContain('tool_execute')
  expect(right.challengeVerified).toBe(true)
})
