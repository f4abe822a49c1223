import { limits } from '@bridgekeeper/protocol'
import { expect, test, vi } from 'vitest'
import { agentWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { Chunked, jsonOf } from '../support/chunked.ts'
import { exchangeAgent, nextOpen } from '../support/exchange-agent.ts'
import { bearer, codeIn, MCP_HEADERS, post } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

const MIB = 1_048_576

const callWith = (args: Buffer, meta = '') =>
  Buffer.from(
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":${args}${meta}}}`,
  )

async function setUp(kind: 'short' | 'exchange') {
  const at = await startBridge()
  const agent = await (kind === 'short' ? agentWith : exchangeAgent)(at, 'ann', 's', 't')
  const headers = bearer((await at.token('ann')).accessToken)
  return { at, agent, chunked: new Chunked(agent), headers }
}

test('[BIG.10] sends arguments of 10 MiB to the agent as received bytes, while small calls are served', async () => {
  const { at, agent, chunked, headers } = await setUp('short')
  const large = jsonOf(10 * MIB)
  const posted = post(at, '/mcp/s', callWith(large), headers)
  const call = await agent.next('tool_execute')
  expect(call).not.toHaveProperty('args')
  const received = chunked.payload(call)
  const small = post(at, '/mcp/s', callWith(Buffer.from('{"a":1}')), headers)
  const { id } = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await small).json.result).toEqual({ content: [] })
  expect((await received)?.equals(large)).toBe(true)
  agent.send({ type: 'tool_result', id: call.id, success: true, result: { content: [] } })
  expect((await posted).json.result).toEqual({ content: [] })
})

test('[BIG.10] sends the large message of an exchange', async () => {
  const { at, agent, chunked, headers } = await setUp('exchange')
  const body = callWith(jsonOf(10 * MIB), ',"_meta":{"progressToken":1}')
  const posted = post(at, '/mcp/s', body, headers)
  const open = await nextOpen(agent)
  expect((await chunked.payload(open))?.equals(body)).toBe(true)
  const result = { content: [] }
  agent.send({ type: 'end', id: open.id, status: 200, message: { jsonrpc: '2.0', id: 1, result } })
  expect((await posted).json.result).toEqual(result)
})

test('[BIG.10] stops at the window of an agent that grants no credit, and forgets a call that is cancelled', async () => {
  const { at, agent, headers } = await setUp('short')
  let bytes = 0
  agent.socket.on('message', (data, isBinary) => {
    if (isBinary) bytes += (data as Buffer).length
  })
  const abort = new AbortController()
  const posted = post(at, '/mcp/s', callWith(jsonOf(10 * MIB)), headers, abort.signal)
  const { id } = await agent.next('tool_execute')
  await vi.waitFor(() => expect(bytes).toBeGreaterThanOrEqual(limits.windowBytes))
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(bytes).toBeLessThan(limits.windowBytes + 10_000)
  abort.abort()
  await expect(posted).rejects.toThrow()
  expect(await agent.next('tool_cancel')).toMatchObject({ id })
  const before = bytes
  agent.send({ type: 'credit', id, bytes: limits.windowBytes })
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(bytes).toBe(before)
})

test('[BIG.10] answers a v1 agent’s caller with arguments_too_large over one message', async () => {
  const at = await startBridge()
  const agent = await verifiedPeer(at, await at.token('ann'))
  const headers = bearer((await at.token('ann')).accessToken)
  const { json } = await post(at, '/mcp/s', callWith(jsonOf(2 * MIB)), headers)
  expect(codeIn(json)).toBe('arguments_too_large')
  expect(agent.waiting).toEqual([])
})

test('[BIG.11] [SIZE.5] refuses a body over 64 MiB, one user’s bodies over 64 MiB together, and _meta over 1 MiB', async () => {
  const { at, agent, headers } = await setUp('short')
  const tooLarge = await post(at, '/mcp/s', Buffer.alloc(limits.payloadBytes + 1, ' '), headers).catch(
    () => undefined,
  )
  if (tooLarge !== undefined)
    expect([tooLarge.status, codeIn(tooLarge.json)]).toEqual([413, 'body_too_large'])
  const first = post(at, '/mcp/s', callWith(jsonOf(40 * MIB)), headers)
  const { id } = await agent.next('tool_execute')
  const second = await post(at, '/mcp/s', callWith(jsonOf(40 * MIB)), headers)
  expect(codeIn(second.json)).toBe('too_many_requests')
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await first).json.result).toEqual({ content: [] })
  const meta = await post(
    at,
    '/mcp/s',
    callWith(Buffer.from('{}'), `,"_meta":{"x":"${'x'.repeat(MIB)}"}`),
    headers,
  )
  expect(codeIn(meta.json)).toBe('params_invalid')
})

test('[BIG.11] allows each user 256 MiB of large bodies a minute', async () => {
  const { at, agent, headers } = await setUp('short')
  agent.socket.on('message', (data, isBinary) => {
    const frame = isBinary ? undefined : JSON.parse(String(data))
    if (frame?.type === 'tool_execute')
      agent.send({ type: 'tool_result', id: frame.id, success: true, result: { content: [] } })
  })
  const body = callWith(jsonOf(60 * MIB))
  const statuses: number[] = []
  for (let n = 0; n < 5; n++)
    statuses.push((await post(at, '/mcp/s', body, { ...MCP_HEADERS, ...headers })).status)
  expect(statuses).toEqual([200, 200, 200, 200, 429])
}, 60_000)
