import { MAX_HELD_BYTES } from '@bridgekeeper/bridge/testing'
import { encodeChunk, limits } from '@bridgekeeper/protocol'
import { expect, test, vi } from 'vitest'
import { agentWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { Chunked, jsonOf } from '../support/chunked.ts'
import { exchangeAgent, nextOpen } from '../support/exchange-agent.ts'
import { bearer, MCP_HEADERS, post, toolCall } from '../support/mcp.ts'
import type { Peer } from '../support/peer.ts'

const MIB = 1_048_576

async function setUp(kind: 'short' | 'exchange') {
  const at = await startBridge()
  const agent = await (kind === 'short' ? agentWith : exchangeAgent)(at, 'ann', 's', 't')
  const headers = bearer((await at.token('ann')).accessToken)
  return { at, agent, chunked: new Chunked(agent), headers }
}

const answer = (result: Buffer, id: unknown = 1) =>
  Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":${result}}`)
/** A call whose progress its caller wants to see, which is an exchange. */
const withProgress = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 't', arguments: {}, _meta: { progressToken: 1 } },
})

test.each([
  ['JSON', {}],
  ['an event stream', { accept: 'text/event-stream' }],
])('[BIG.9] passes a result of 10 MiB as %s, as the bytes of the agent', async (_what, accept) => {
  const { at, agent, chunked, headers } = await setUp('short')
  const large = jsonOf(10 * MIB)
  const posted = post(at, '/mcp/s', toolCall('t'), { ...headers, ...accept })
  const { id } = await agent.next('tool_execute')
  chunked.send({ type: 'tool_result', id, success: true }, large)
  const { text, headers: answered } = await posted
  expect(text.includes(String(answer(large)))).toBe(true)
  expect(Number(answered.get('content-length'))).toBe(text.length)
})

test.each([
  ['JSON', {}],
  ['an event stream', { accept: 'text/event-stream' }],
])('[BIG.9] passes the answer of an exchange of 10 MiB as %s', async (_what, accept) => {
  const { at, agent, chunked, headers } = await setUp('exchange')
  const large = answer(jsonOf(10 * MIB))
  const posted = post(at, '/mcp/s', withProgress(1), { ...headers, ...accept })
  const { id } = await nextOpen(agent)
  agent.send({ type: 'accepted', id })
  chunked.send({ type: 'end', id, status: 200 }, large)
  expect((await posted).text.includes(String(large))).toBe(true)
})

test('[BIG.9] passes large messages before the answer, in order, with line ends as spaces', async () => {
  const { at, agent, chunked, headers } = await setUp('exchange')
  const posted = post(at, '/mcp/s', withProgress(1), headers)
  const { id } = await nextOpen(agent)
  agent.send({ type: 'accepted', id })
  const note = (n: number, x: string) => `{"jsonrpc":"2.0","method":"m","params":{"n":${n},\r\n"x":"${x}"}}`
  chunked.send({ type: 'message', id }, Buffer.from(note(1, 'a'.repeat(2 * MIB))))
  chunked.send({ type: 'message', id }, Buffer.from(note(2, 'b'.repeat(3 * MIB))))
  chunked.sendLast({
    type: 'end',
    id,
    status: 200,
    message: { jsonrpc: '2.0', id: 1, result: { content: [] } },
  })
  const { text } = await posted
  const data = text
    .split('\n')
    .flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6))] : []))
  expect(data.map(({ params }) => params?.n)).toEqual([1, 2, undefined])
  expect(data.map(({ params }) => params?.x.length)).toEqual([2 * MIB, 3 * MIB, undefined])
  expect(data[2]).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [] } })
})

/** A caller that reads nothing until told. */
async function slowCaller(url: string, headers: Record<string, string>, body: object) {
  const abort = new AbortController()
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...headers },
    body: JSON.stringify(body),
    signal: abort.signal,
  })
  return { response, abort }
}

test('[BIG.9] [BIG.3] takes from the agent what a slow caller reads, while others are served', async () => {
  const { at, agent, chunked, headers } = await setUp('short')
  const large = jsonOf(60 * MIB)
  const calling = slowCaller(`${at.url}/mcp/s`, headers, toolCall('t'))
  const { id } = await agent.next('tool_execute')
  chunked.send({ type: 'tool_result', id, success: true }, large)
  const { response } = await calling
  let stood = -1
  await vi.waitFor(() => {
    const standsStill = chunked.sentBytes === stood
    stood = chunked.sentBytes
    expect(standsStill && stood > limits.windowBytes / 2).toBe(true)
  })
  // The kernel and the client hold some, besides one window.
  expect(stood).toBeLessThan(20 * MIB)
  for (let n = 0; n < 5; n++) {
    const small = post(at, '/mcp/s', toolCall('t', {}, n), headers)
    const { id: other } = await agent.next('tool_execute')
    agent.send({ type: 'tool_result', id: other, success: true, result: { content: [] } })
    expect((await small).json.id).toBe(n)
  }
  expect((await response.text()).includes(String(large))).toBe(true)
}, 60_000)

test.each(['short', 'exchange'] as const)(
  '[BIG.5] cuts the response of a %s call when its agent goes away',
  async (kind) => {
    const { at, agent, headers } = await setUp(kind)
    const calling = slowCaller(`${at.url}/mcp/s`, headers, kind === 'short' ? toolCall('t') : withProgress(1))
    const id = await begin(agent, kind, 5 * MIB)
    agent.socket.send(encodeChunk({ id, bytes: Buffer.alloc(1_000, '{') }))
    const { response } = await calling
    agent.socket.terminate()
    await expect(response.text()).rejects.toThrow()
  },
)

/** Announces a large answer to the next call. */
async function begin(agent: Peer, kind: 'short' | 'exchange', bytes: number): Promise<string> {
  const { id } = await agent.next(kind === 'short' ? 'tool_execute' : 'open')
  if (kind === 'short') agent.send({ type: 'tool_result', id, success: true, bytes })
  else agent.send({ type: 'end', id, status: 200, bytes })
  return String(id)
}

test.each([
  ['short', 'tool_cancel'],
  ['exchange', 'cancel'],
] as const)('[BIG.5] tells the agent of a %s call that its caller went away', async (kind, frame) => {
  const { at, agent, headers } = await setUp(kind)
  const calling = slowCaller(`${at.url}/mcp/s`, headers, kind === 'short' ? toolCall('t') : withProgress(1))
  const id = await begin(agent, kind, 5 * MIB)
  const { abort } = await calling
  abort.abort()
  expect(await agent.next(frame)).toMatchObject({ id })
  agent.socket.send(encodeChunk({ id, bytes: Buffer.alloc(1_000, '{') }))
  agent.send({ type: 'ping' })
  await agent.next('pong')
})

test('[BIG.4] refuses chunks beyond the window, and cuts that call', async () => {
  const { at, agent, headers } = await setUp('short')
  const calling = slowCaller(`${at.url}/mcp/s`, headers, toolCall('t'))
  const id = await begin(agent, 'short', 60 * MIB)
  const { response } = await calling
  const bytes = Buffer.alloc(limits.chunkBytes, '{')
  // The caller does not read, so no more than the window and what the kernel takes may come.
  for (let sent = 0; sent < 40 * MIB; sent += bytes.length) agent.socket.send(encodeChunk({ id, bytes }))
  expect(await agent.next('error')).toMatchObject({ error: 'message_invalid' })
  await expect(response.text()).rejects.toThrow()
})

test('[BIG.4] refuses binary frames that are no chunks, and ignores chunks of calls of other agents', async () => {
  const { at, agent, headers } = await setUp('short')
  const calling = post(at, '/mcp/s', toolCall('t'), headers)
  const id = await begin(agent, 'short', 2)
  const other = await agentWith(at, 'bob', 'o', 't')
  other.socket.send(encodeChunk({ id, bytes: Buffer.from('[]') }))
  other.socket.send(Buffer.from([0]))
  expect(await other.next('error')).toMatchObject({ error: 'message_not_text' })
  agent.socket.send(encodeChunk({ id, bytes: Buffer.from('{}') }))
  expect((await calling).json.result).toEqual({})
})

test('[BIG.9] ends a call whose agent stops in the middle of its result', async () => {
  const { at, agent } = await setUp('short')
  const call = at.bridge.callTool('user_ann', 's', 't').catch((error: { code: string }) => error.code)
  const id = await begin(agent, 'short', 5 * MIB)
  agent.socket.send(encodeChunk({ id, bytes: Buffer.alloc(1_000, '{') }))
  agent.socket.terminate()
  expect(await call).toBe('outcome_unknown')
})

test('[BIG.9] gives the app a large result whole', async () => {
  const { at, agent, chunked } = await setUp('short')
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await agent.next('tool_execute')
  const large = jsonOf(3 * MIB)
  chunked.send({ type: 'tool_result', id, success: true }, large)
  expect(JSON.stringify(await call)).toBe(String(large))
})

test.each(['short', 'exchange'] as const)(
  '[LOAD.2] refuses the large result of a %s call in a batch before it arrives, if its user would hold too much',
  async (kind) => {
    const { at, agent, headers } = await setUp(kind)
    const posted = post(at, '/mcp/s', [kind === 'short' ? toolCall('t') : withProgress(1)], headers)
    await begin(agent, kind, MAX_HELD_BYTES + 1)
    expect((await posted).json).toMatchObject([{ id: 1, error: { data: { code: 'too_many_requests' } } }])
  },
)

test('[REVOKE.2] sends nothing of a batch whose login is revoked while a result arrives', async () => {
  const { at, agent, headers } = await setUp('short')
  const posted = post(at, '/mcp/s', [toolCall('t', {}, 1), toolCall('t', {}, 2)], headers).catch(
    () => undefined,
  )
  const { id } = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id, success: true, result: { content: [], secret: 's3cret' } })
  await begin(agent, 'short', 5 * MIB)
  agent.send({ type: 'ping' })
  await agent.next('pong')
  await at.bridge.revoke({ kind: 'user', id: 'user_ann' })
  const answer = await posted
  expect(answer?.text ?? '').not.toContain('s3cret')
  expect(answer?.json ?? { error: { data: { code: 'login_revoked' } } }).toMatchObject({
    error: { data: { code: 'login_revoked' } },
  })
})
