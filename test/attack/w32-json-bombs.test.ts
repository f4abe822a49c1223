import { afterEach, expect, test } from 'vitest'
import { agentWith, answerNextWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { bearer, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
const wide = (keys: number) => `{${Array.from({ length: keys }, (_, index) => `"k${index}":0`).join(',')}}`

afterEach(() => {
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  expect(Object.keys(Object.prototype)).toEqual([])
})

/** JSON that only passes through, and would harm a program that merges objects. */
const harmless: Readonly<Record<string, string>> = {
  'many keys': wide(70_000),
  'nested 100,000 deep': `{"a":${deep(100_000)}}`,
  __proto__: '{"__proto__":{"polluted":true}}',
  '__proto__ inside': '{"a":[{"b":{"__proto__":{"polluted":true}}}]}',
  constructor: '{"constructor":{"prototype":{"polluted":true}}}',
}

for (const [path, headers] of [
  ['the usual content type', {}],
  ['another content type', OTHER_TYPE],
] as const) {
  test(`[JSON.5] [JSON.6] W32: passes odd keys and any depth in arguments and results with ${path} unchanged`, async () => {
    const at = await startBridge()
    const agent = await agentWith(at, 'ann', 's', 't')
    const { accessToken } = await at.token('ann')
    let text = ''
    agent.socket.on('message', (data) => {
      text = String(data)
    })
    for (const [name, odd] of Object.entries(harmless)) {
      const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"s__t","arguments":${odd}}}`
      const answer = post(at, '/mcp', body, { ...bearer(accessToken), ...headers })
      const { id } = await agent.next('tool_execute')
      expect(text.includes(odd), name).toBe(true)
      agent.send(
        `{"type":"tool_result","id":"${id}","success":true,"result":{"content":[],"structuredContent":${odd}}}`,
      )
      expect((await answer).text.includes(odd), name).toBe(true)
    }
  })
}

test('[JSON.7] W32: refuses nesting of over 1,000 levels in what it parses', async () => {
  const at = await startBridge()
  const agent = await verifiedPeer(at, await at.token('ann'), { v2: true })
  const catalog = (levels: number) =>
    `{"type":"catalog","servers":[{"state":"ready","name":"s","serverInfo":{"name":"s","version":"1","x":${deep(levels)}},"tools":[]}]}`
  agent.send(catalog(1_000))
  expect(await agent.next('error')).toMatchObject({
    error: 'message_invalid',
    message: expect.stringContaining('levels'),
  })
  agent.send(catalog(500))
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(agent.waiting).toEqual([])
})

test('[JSON.5] W32: refuses prototype keys in a frame, and keeps objects unpolluted', async () => {
  const at = await startBridge()
  const agent = await agentWith(at, 'ann', '__proto__x', 't')
  const other = await verifiedPeer(at, await at.token('ann'), { v2: true })
  for (const text of [
    '{"type":"ping","__proto__":{"polluted":true}}',
    '{"type":"ping","constructor":{"prototype":{"polluted":true}}}',
    '{"__proto__":{"type":"ping"}}',
  ]) {
    other.send(text)
    expect(await other.next('error'), text).toMatchObject({ error: 'message_invalid' })
  }
  const call = at.bridge.callTool('user_ann', '__proto__x', 't')
  await answerNextWith(agent, { success: true, result: { content: [] } })
  await call
})

test('[ROUTE.6] W32: treats names of object members as ordinary names of servers and tools', async () => {
  const at = await startBridge()
  const agent = await agentWith(at, 'ann', 'constructor', 'toString', '__proto__', 'hasOwnProperty')
  const { accessToken } = await at.token('ann')
  for (const name of ['toString', '__proto__', 'hasOwnProperty']) {
    const call = post(at, '/mcp/constructor', toolCall(name), bearer(accessToken))
    await answerNextWith(agent, { success: true, result: { content: [] } })
    expect((await call).json.result, name).toEqual({ content: [] })
  }
  for (const server of ['__proto__', 'toString', 'valueOf'])
    expect((await post(at, `/mcp/${server}`, toolCall('t'), bearer(accessToken))).json.error.data.code).toBe(
      'server_not_found',
    )
})
