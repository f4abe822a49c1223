import { expect, test } from 'vitest'
import { answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { BIG, ENVELOPE, setUpCaller } from '../support/caller.ts'
import { answerOpen, nextOpen } from '../support/exchange-agent.ts'
import { bearer, modernToolCall, post } from '../support/mcp.ts'
import { mcpCaller, rpc } from '../support/mcp-client.ts'
import { verifiedPeer } from '../support/peer.ts'

const META =
  '{ "progressToken" : 12345678901234567890,"example.com/tenant":"a","e":1e400,"traceparent":"00-x"}'

test('[CALL.12] passes _meta of a call and of its result byte for byte', async () => {
  const { ask, peer, frames } = await setUpCaller()
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","_meta":${META}}}`
  const posted = ask(body)
  const { id } = await peer.next('tool_execute')
  expect(frames.at(-1)).toContain(`"meta":${META},"args":{}}`)
  peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":{"content":[],"_meta":${META}}}`)
  expect((await posted).text).toBe(`{"jsonrpc":"2.0","id":1,"result":{"content":[],"_meta":${META}}}`)
})

test('[CALL.12] omits the envelope of the 2026 revision from the agent’s call', async () => {
  const { ask, peer, frames } = await setUpCaller()
  const { headers } = modernToolCall('read')
  const call = async (meta: string): Promise<string | undefined> => {
    const posted = ask(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","_meta":${meta}}}`,
      headers,
    )
    await answerNext(peer, { content: [] })
    expect((await posted).status).toBe(200)
    return /"meta":(.*),"args"/.exec(frames.at(-1) ?? '')?.[1]
  }
  const envelope = JSON.stringify({ ...ENVELOPE, 'io.modelcontextprotocol/logLevel': 'info' }).slice(1, -1)
  expect(await call(`{${envelope}}`)).toBeUndefined()
  expect(await call(`{"a":1.0 , ${envelope.replace('info', 'error')}, "b":[ 2 ]}`)).toBe(
    '{"a":1.0,"b":[ 2 ]}',
  )
  const escaped = envelope.replace('io.model', '\\u0069o.model')
  expect(
    await call(`{${escaped},"io.modelcontextprotocol/related-task":{"taskId":"t"},"progressToken":${BIG}}`),
  ).toBe(`{"io.modelcontextprotocol/related-task":{"taskId":"t"},"progressToken":${BIG}}`)
})

test('[CALL.12] sends a v1 agent no _meta', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const peer = await verifiedPeer(at, issued)
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 't', _meta: { a: 1 } } }
  const posted = post(at, '/mcp/s', body, bearer(issued.accessToken))
  const frame = await peer.next('tool_execute')
  expect(Object.keys(frame)).toEqual(['type', 'id', 'serverName', 'toolName', 'args'])
  peer.send({ type: 'tool_result', id: frame.id, success: true, result: { content: [] } })
  expect((await posted).status).toBe(200)
})

test('[EXCH.29] sends the task that a call without a session asks for', async () => {
  const { agent, ask } = await mcpCaller()
  const params = { name: 't', arguments: {}, task: { ttl: 60_000 } }
  const posted = ask(rpc('tools/call', params))
  const open = await nextOpen(agent)
  expect(open.message).toMatchObject({ params })
  const result = { task: { taskId: '1', status: 'working' } }
  answerOpen(agent, open, result)
  expect((await posted).json.result).toEqual(result)
  const plain = ask(rpc('tools/call', { name: 't', task: null }))
  const { id } = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await plain).status).toBe(200)
})

test.each(['"timeoutMs":5', '"x-tenant":null', '"\\u0061":[]'])(
  '[CALL.13] sends a call with a parameter that MCP does not know, %s, with all of them',
  async (member) => {
    const { agent, ask } = await mcpCaller()
    const params = `{"name":"t",${member},"arguments":{}}`
    const posted = ask(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`)
    const open = await nextOpen(agent)
    expect(open.message).toMatchObject({ params: JSON.parse(params) })
    answerOpen(agent, open, { content: [] })
    expect((await posted).json.result).toEqual({ content: [] })
  },
)
