import { callbackLog, ToolError } from '@bridgekeeper/bridge'
import { limits } from '@bridgekeeper/protocol'
import { expect, test, vi } from 'vitest'
import { agentWith, answerNext as answerWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { dial, type Peer, verifiedPeer } from '../support/peer.ts'

const RESULT = { content: [{ type: 'text', text: 'done' }] }

const answerNext = (peer: Peer, result: unknown = RESULT) => answerWith(peer, result)

test('[ROUTE.1] routes a call to the user’s verified connection only', async () => {
  const at = await startBridge()
  const unverified = dial(at, { token: (await at.token('ann')).accessToken })
  await unverified.next('challenge')
  const peer = await verifiedPeer(at, await at.token('ann'))
  const call = at.bridge.callTool('user_ann', 's', 't', { a: 1 })
  expect(await peer.next('tool_execute')).toMatchObject({ serverName: 's', toolName: 't', args: { a: 1 } })
  expect(unverified.waiting).toEqual([])
  peer.socket.close()
  await expect(call).rejects.toThrow()
})

test('[ROUTE.2] separates calls, tools and results of two users with servers of the same name', async () => {
  const at = await startBridge()
  const ann = await agentWith(at, 'ann', 'notes', 'read_ann')
  const bob = await agentWith(at, 'bob', 'notes', 'read_bob')
  const calls = [at.bridge.callTool('user_ann', 'notes', 'r'), at.bridge.callTool('user_bob', 'notes', 'r')]
  await answerNext(bob, { content: [{ type: 'text', text: 'of bob' }] })
  await answerNext(ann, { content: [{ type: 'text', text: 'of ann' }] })
  const results = await Promise.all(calls)
  expect(results).toMatchObject([{ content: [{ text: 'of ann' }] }, { content: [{ text: 'of bob' }] }])
  expect(at.bridge.listTools('user_ann').map((tool) => tool.exposedName)).toEqual(['notes__read_ann'])
  expect(at.bridge.listTools('user_bob').map((tool) => tool.exposedName)).toEqual(['notes__read_bob'])
})

test('[CALL.1] ignores another user’s answer to a known call id, and a second answer', async () => {
  const at = await startBridge()
  const ann = await verifiedPeer(at, await at.token('ann'))
  const mallory = await verifiedPeer(at, await at.token('bob'))
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await ann.next('tool_execute')
  mallory.send({ type: 'tool_result', id, success: true, result: { content: [], forged: true } })
  mallory.send({ type: 'ping' })
  await mallory.next('pong')
  ann.send({ type: 'tool_result', id, success: true, result: RESULT })
  ann.send({ type: 'tool_result', id, success: true, result: { content: [], late: true } })
  expect(await call).toEqual(RESULT)
})

test('[ROUTE.3] replaces the first socket of a login only once the second is verified', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const first = await verifiedPeer(at, issued)
  const second = dial(at, { token: issued.accessToken })
  const challenge = await second.next('challenge')
  const before = at.bridge.callTool('user_ann', 's', 't')
  await answerNext(first)
  await before
  second.answer(challenge, issued)
  expect(await first.closed).toEqual({ code: 4509, reason: 'connection_replaced' })
  const after = at.bridge.callTool('user_ann', 's', 't')
  await answerNext(second)
  expect(await after).toEqual(RESULT)
})

test('[ROUTE.4] keeps a user’s other connections when one ends', async () => {
  const at = await startBridge()
  const laptop = await agentWith(at, 'ann', 'laptop', 't')
  const desktop = await agentWith(at, 'ann', 'desktop', 't')
  laptop.socket.close()
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1))
  const call = at.bridge.callTool('user_ann', 'desktop', 't')
  await answerNext(desktop)
  expect(await call).toEqual(RESULT)
})

test('[ROUTE.5] routes a call to the agent that has the server, or to one without a list', async () => {
  const at = await startBridge()
  const desktop = await agentWith(at, 'ann', 'desktop', 't')
  const seed = await verifiedPeer(at, await at.token('ann'))
  const listed = at.bridge.callTool('user_ann', 'desktop', 't')
  await answerNext(desktop)
  expect(await listed).toEqual(RESULT)
  const unlisted = at.bridge.callTool('user_ann', 'elsewhere', 't')
  await answerNext(seed)
  expect(await unlisted).toEqual(RESULT)
})

test('[ROUTE.6] distinguishes no agent, an unknown server and a server that is not ready', async () => {
  const at = await startBridge()
  await expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({ code: 'agent_offline' })
  const peer = await agentWith(at, 'ann', 'notes', 't')
  await expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({
    code: 'server_not_found',
    message: expect.stringContaining('"s"'),
  })
  peer.send({ type: 'catalog', servers: [{ state: 'failed', name: 's', reason: 'no such program: foo' }] })
  await vi.waitFor(() =>
    expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({
      code: 'server_unavailable',
      message: expect.stringContaining('no such program: foo'),
    }),
  )
})

test('[CALL.2] times out a call at its deadline, and notifies the agent', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system, callTimeoutMs: 5_000 })
  const peer = await agentWith(at, 'ann', 's', 't')
  const early = at.bridge.callTool('user_ann', 's', 'early').catch((error: unknown) => error)
  const { id } = await peer.next('tool_execute')
  system.advance(3_000)
  const late = at.bridge.callTool('user_ann', 's', 'late')
  await answerLater(peer)
  system.advance(2_000)
  expect(await early).toMatchObject({ code: 'call_timeout', message: expect.stringContaining(String(id)) })
  expect(await peer.next('tool_cancel')).toMatchObject({ id })
  expect(await late).toEqual(RESULT)

  async function answerLater(agent: Peer): Promise<void> {
    await answerNext(agent)
    await late
  }
})

test('[CALL.3] fails the calls of a connection with outcome_unknown when it ends', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  const calls = [1, 2, 3].map(() => at.bridge.callTool('user_ann', 's', 't').catch((error: unknown) => error))
  await peer.next('tool_execute')
  peer.socket.terminate()
  for (const error of await Promise.all(calls)) {
    expect(error).toMatchObject({
      code: 'outcome_unknown',
      message: expect.stringMatching(/Call [\w-]{22}\./),
    })
  }
})

test('[CALL.4] [EMBED.8] cancels a call at the agent when it is aborted or its caller disconnects', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const peer = await agentWith(at, 'ann', 's', 't')
  const byApi = new AbortController()
  const call = at.bridge.callTool('user_ann', 's', 't', {}, { signal: byApi.signal })
  const first = await peer.next('tool_execute')
  byApi.abort()
  await expect(call).rejects.toBe(byApi.signal.reason)
  expect(await peer.next('tool_cancel')).toMatchObject({ id: first.id })

  for (const headers of [{}, OTHER_TYPE]) {
    const byHttp = new AbortController()
    const posted = post(
      at,
      '/mcp/s',
      toolCall('t'),
      { ...bearer(issued.accessToken), ...headers },
      byHttp.signal,
    ).catch(() => 'gone')
    const second = await peer.next('tool_execute')
    byHttp.abort()
    expect(await posted).toBe('gone')
    expect(await peer.next('tool_cancel')).toMatchObject({ id: second.id })
  }
  const early = AbortSignal.abort(new Error('too early'))
  await expect(at.bridge.callTool('user_ann', 's', 't', {}, { signal: early })).rejects.toThrow('too early')
})

test('[EMBED.8] returns a result that arrived before the abort', async () => {
  const held: (() => void)[] = []
  let isHeld = false
  const afterWritten = (run: () => void) => (isHeld ? void held.push(run) : run())
  const at = await startBridge({ securityLog: { ...callbackLog(() => {}), afterWritten } })
  const peer = await agentWith(at, 'ann', 's', 't')
  isHeld = true
  const controller = new AbortController()
  const call = at.bridge.callTool('user_ann', 's', 't', {}, { signal: controller.signal })
  await answerNext(peer)
  await vi.waitFor(() => expect(held).toHaveLength(1))
  controller.abort()
  for (const run of held) run()
  expect(await call).toEqual(RESULT)
})

test('[EMBED.11] refuses a result that is not a JSON object', async () => {
  const at = await startBridge()
  const peer = await agentWith(at, 'ann', 's', 't')
  const resultOf = async (result: unknown) => {
    const call = at.bridge.callTool('user_ann', 's', 't')
    await answerNext(peer, result)
    return call.catch((error: { code: string }) => error.code)
  }
  for (const none of [null, [1], 'text', 7]) expect(await resultOf(none)).toBe('result_invalid')
  expect(await resultOf({ structuredContent: { a: 1 } })).toEqual({ structuredContent: { a: 1 } })
})

test('[CALL.5] limits the calls that wait for one agent', async () => {
  const at = await startBridge({ maxPendingCalls: 2 })
  const peer = await verifiedPeer(at, await at.token('ann'))
  const waiting = [1, 2].map(() => at.bridge.callTool('user_ann', 's', 't'))
  await expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({ code: 'too_many_calls' })
  await answerNext(peer)
  await answerNext(peer)
  await Promise.all(waiting)
})

test('[CALL.6] refuses arguments that do not fit one message before sending anything', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  const tooLarge = { text: 'x'.repeat(limits.messageBytes) }
  await expect(at.bridge.callTool('user_ann', 's', 't', tooLarge)).rejects.toMatchObject({
    code: 'arguments_too_large',
  })
  expect(peer.waiting).toEqual([])
})

test('[CALL.6] refuses hostile names at once', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  const call = (server: string, tool: string) =>
    at.bridge.callTool('user_ann', server, tool).catch((error: { code: string }) => error.code)
  expect(await call('s', 't'.repeat(129))).toBe('tool_name_invalid')
  expect(await call('s', 'a\u202eb')).toBe('tool_name_invalid')
  expect(await call('', 't')).toBe('server_not_found')
  expect(peer.waiting).toEqual([])
})

test('[CALL.9] fails a call at once when its answer is unreadable', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  for (const broken of [
    '"success":false',
    '"success":"yes","result":{}',
    '"success":false,"error":5',
    '"success":true,"result":{"a":[NaN]}',
  ]) {
    const call = at.bridge.callTool('user_ann', 's', 't').catch((error: unknown) => error)
    const { id } = await peer.next('tool_execute')
    peer.send(`{"type":"tool_result","id":"${id}",${broken}}`)
    expect(await call).toMatchObject({ code: 'result_invalid' })
  }
})

test('[CALL.9] fails a call at once when its answer is a binary frame', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  const call = at.bridge.callTool('user_ann', 's', 't').catch((error: unknown) => error)
  const { id } = await peer.next('tool_execute')
  peer.socket.send(Buffer.from(`{"type":"tool_result","id":"${id}","success":true,"result":{}}`))
  expect(await call).toMatchObject({ code: 'result_invalid' })
})

test('[CALL.7] passes a v2 agent’s failure code, or the server’s error unchanged', async () => {
  const at = await startBridge()
  const peer = await agentWith(at, 'ann', 's', 't')
  const fail = async (failure: object) => {
    const call = at.bridge.callTool('user_ann', 's', 't').catch((error: unknown) => error)
    const { id } = await peer.next('tool_execute')
    peer.send({ type: 'tool_result', id, success: false, ...failure })
    return call
  }
  expect(await fail({ error: 'it died', code: 'server_exited' })).toMatchObject({ code: 'server_exited' })
  expect(await fail({ error: 'odd', code: 'no_such_code' })).toMatchObject({ code: 'tool_failed' })
  const rpcError = { code: -32602, message: 'bad a', data: { a: [1] } }
  const passed = await fail({ error: 'bad a', rpcError })
  expect(passed).toBeInstanceOf(ToolError)
  expect(passed).toMatchObject(rpcError)
})

test('[SEED.2] turns any answer of a v1 agent into an MCP result', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  const answer = async (members: object) => {
    const call = at.bridge.callTool('user_ann', 's', 't')
    const { id } = await peer.next('tool_execute')
    peer.send({ type: 'tool_result', id, ...members })
    return call
  }
  expect(await answer({ success: true, result: RESULT })).toEqual(RESULT)
  expect(await answer({ success: true, result: 'plain' })).toEqual({
    content: [{ type: 'text', text: 'plain' }],
  })
  expect(await answer({ success: true, result: { n: 1 } })).toEqual({
    content: [{ type: 'text', text: '{"n":1}' }],
    structuredContent: { n: 1 },
  })
  expect(await answer({ success: true })).toEqual({ content: [{ type: 'text', text: 'null' }] })
  expect(await answer({ success: false, error: 'disk full' })).toEqual({
    content: [{ type: 'text', text: 'disk full' }],
    isError: true,
  })
})

test('[CALL.8] lets a verified socket call tools of its own user only', async () => {
  const at = await startBridge()
  const caller = await verifiedPeer(at, await at.token('ann'), { v2: true })
  caller.send({ type: 'catalog', servers: [] })
  const runner = await agentWith(at, 'ann', 'notes', 't')
  await agentWith(at, 'bob', 'private', 't')
  caller.send({ type: 'tool_execute', id: 'mine', serverName: 'notes', toolName: 't', args: { a: 1 } })
  await answerNext(runner)
  expect(await caller.next('tool_result')).toEqual({
    type: 'tool_result',
    id: 'mine',
    success: true,
    result: RESULT,
  })
  caller.send({ type: 'tool_execute', id: 'theirs', serverName: 'private', toolName: 't' })
  expect(await caller.next('tool_result')).toMatchObject({
    id: 'theirs',
    success: false,
    code: 'server_not_found',
  })
})

test('[CALL.8] refuses the id of a running call, and cancels a socket’s calls when it closes', async () => {
  const at = await startBridge()
  const caller = await verifiedPeer(at, await at.token('ann'), { v2: true })
  caller.send({ type: 'catalog', servers: [] })
  const runner = await agentWith(at, 'ann', 'notes', 't')
  const execute = { type: 'tool_execute', id: 'one', serverName: 'notes', toolName: 't', args: {} }
  caller.send(execute)
  const { id } = await runner.next('tool_execute')
  caller.send(execute)
  expect(await caller.next('tool_result')).toMatchObject({ id: 'one', code: 'call_id_conflict' })
  expect(runner.waiting).toEqual([])
  caller.socket.close()
  expect(await runner.next('tool_cancel')).toMatchObject({ id })
})
