import { expect, test } from 'vitest'
import { answerOpen, nextOpen } from '../support/exchange-agent.ts'
import { mcpCaller, NEWER, OLDER, progress, rpc, version } from '../support/mcp-client.ts'
import type { Peer } from '../support/peer.ts'

const PROMPT = rpc('prompts/get', { name: 'p' }, 7)
const CALL = rpc('tools/call', { name: 't' }, 8)
const SLOW_CALL = rpc('tools/call', { name: 't', _meta: { progressToken: 1 } }, 9)
const NO_SESSION = { 'mcp-session-id': 'x' }
const COMMENT = { comment: 'keep-alive' }

function message(peer: Peer, id: string, number?: number): void {
  peer.send({ type: 'message', id, message: progress, ...(number !== undefined && { number }) })
}

test('[STREAM.1] answers with one JSON text if the answer comes first, with the status of the agent', async () => {
  const { agent, ask } = await mcpCaller()
  for (const status of [200, 400, 404]) {
    const posted = ask(PROMPT)
    const open = await nextOpen(agent)
    agent.send({ type: 'accepted', id: open.id })
    answerOpen(agent, open, { a: 1 }, { status })
    const answer = await posted
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/json'])
    expect(answer.json).toEqual({ jsonrpc: '2.0', id: 7, result: { a: 1 } })
  }
})

test('[STREAM.1] keeps the bytes of caller and local server', async () => {
  const { agent, ask } = await mcpCaller()
  const frames: string[] = []
  agent.socket.on('message', (data) => frames.push(String(data)))
  const text = '{ "jsonrpc":"2.0","id": 1.0, "method":"x/y","params":{"n":1e400,"s":"\\u00e9"} }'
  const posted = ask(text)
  const { id } = await nextOpen(agent)
  expect(frames.join()).toContain(`"message":${text}}`)
  const answer = '{"jsonrpc":"2.0","id":1.0,"result":{"n":12345678901234567890} }'
  agent.send(`{"type":"end","id":"${id}","status":200,"message":${answer}}`)
  expect((await posted).text).toBe(answer)
})

test('[STREAM.1] answers with a stream if a message comes first; without a session it has no event ids', async () => {
  const { agent, stream } = await mcpCaller()
  const events = stream(SLOW_CALL)
  const open = await nextOpen(agent)
  expect(open).toMatchObject({ streams: true, message: SLOW_CALL })
  expect(open.session).toBeUndefined()
  agent.send({ type: 'accepted', id: open.id })
  message(agent, open.id)
  const reader = await events
  expect(Object.fromEntries(reader.response.headers)).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  expect(JSON.parse((await reader.next())?.data ?? '')).toEqual(progress)
  answerOpen(agent, open, { content: [] })
  const [last, ...more] = await reader.rest()
  expect([last?.id, more]).toEqual([undefined, []])
  expect(JSON.parse(last?.data ?? '')).toEqual({ jsonrpc: '2.0', id: 9, result: { content: [] } })
})

test('[STREAM.1] sends no messages to a caller that reads only JSON', async () => {
  const { agent, ask } = await mcpCaller()
  const posted = ask(SLOW_CALL, { accept: 'application/json' })
  const open = await nextOpen(agent)
  expect(open.streams).toBe(false)
  agent.send({ type: 'accepted', id: open.id })
  message(agent, open.id)
  answerOpen(agent, open, { content: [] })
  const answer = await posted
  expect(answer.json).toEqual({ jsonrpc: '2.0', id: 9, result: { content: [] } })
})

test('[STREAM.1] keeps line ends between members inside of one event', async () => {
  const { agent, stream } = await mcpCaller()
  const events = stream(SLOW_CALL)
  const { id } = await nextOpen(agent)
  agent.send({ type: 'accepted', id })
  agent.send(`{"type":"message","id":"${id}","message":{\n"jsonrpc":\r\n"2.0",\r"method":"x"}}`)
  const event = await (await events).next()
  expect(JSON.parse(event?.data ?? '')).toEqual({ jsonrpc: '2.0', method: 'x' })
})

test('[STREAM.5] begins a stream with a priming event for a session of a client since 2025-11-25', async () => {
  const { agent, begin, stream } = await mcpCaller()
  const { session } = await begin()
  const events = stream(CALL, { ...session, ...version(NEWER) })
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  const reader = await events
  expect(await reader.next()).toEqual({ id: `${open.id}_0.cOA`, retry: '3000', data: '' })
  message(agent, open.id, 1)
  expect((await reader.next())?.id).toBe(`${open.id}_1.cOA`)
  answerOpen(agent, open, {}, { number: 2 })
  expect((await reader.rest()).map(({ id }) => id)).toEqual([`${open.id}_2.cOA`])
  expect((await agent.next('done')).id).toBe(open.id)
})

test('[STREAM.5] begins it before the local server has the request, if that takes long', async () => {
  const { system, agent, begin, stream } = await mcpCaller()
  const { session } = await begin()
  const events = stream(CALL, { ...session, ...version(NEWER) })
  const open = await nextOpen(agent)
  system.advance(500)
  expect(await (await events).next()).toMatchObject({ id: `${open.id}_0.cOA` })
})

test('[STREAM.5] leaves a status to requests that are refused at once', async () => {
  const { agent, begin, ask } = await mcpCaller()
  const { session } = await begin()
  const posted = ask(CALL, { ...session, ...version(NEWER) })
  const { id } = await nextOpen(agent)
  agent.send({ type: 'end', id, status: 404, code: 'session_unknown', error: 'ended' })
  const answer = await posted
  expect([answer.status, answer.json.id, answer.json.error.data.code]).toEqual([404, 8, 'session_unknown'])
})

test.each([
  ['ping', NEWER],
  ['tools/list', NEWER],
  ['resources/templates/list', NEWER],
  ['prompts/get', OLDER],
])('[STREAM.5] numbers messages without a priming event: %s of %s', async (method, revision) => {
  const { agent, begin, stream, ask } = await mcpCaller()
  const { session } = await begin()
  const headers = { ...session, ...version(revision) }
  const quick = ask(rpc(method, { name: 'p' }), headers)
  const first = await nextOpen(agent)
  agent.send({ type: 'accepted', id: first.id })
  answerOpen(agent, first, {}, { number: 1 })
  expect((await quick).headers.get('content-type')).toBe('application/json')
  const events = stream(rpc(method, { name: 'p' }), headers)
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  message(agent, open.id, 1)
  answerOpen(agent, open, {}, { number: 2 })
  const ids = (await (await events).rest()).map(({ id }) => id)
  expect(ids).toEqual([`${open.id}_1.rMQ`, `${open.id}_2.rMQ`])
})

test('[STREAM.4] begins a stream five seconds after the local server has the request, and keeps it alive', async () => {
  const { system, agent, stream, ask } = await mcpCaller()
  const events = stream(SLOW_CALL)
  const open = await nextOpen(agent)
  system.advance(30_000)
  agent.send({ type: 'accepted', id: open.id })
  agent.send({ type: 'ping' })
  await agent.next('pong')
  system.advance(4_999)
  expect(await Promise.race([events, ask(rpc('logging/setLevel'), NO_SESSION)])).toMatchObject({
    status: 404,
  })
  system.advance(1)
  const reader = await events
  expect(await reader.next()).toEqual(COMMENT)
  for (let round = 0; round < 3; round++) {
    system.advance(15_000)
    expect(await reader.next()).toEqual(COMMENT)
  }
  answerOpen(agent, open, { content: [] })
  expect((await reader.rest()).map(({ data }) => JSON.parse(data ?? '').result)).toEqual([{ content: [] }])
})

test('[STREAM.4] does the same for a call in the short form', async () => {
  const { system, agent, stream } = await mcpCaller()
  const events = stream(CALL)
  const { id } = await agent.next('tool_execute')
  system.advance(5_000)
  const reader = await events
  expect(await reader.next()).toEqual(COMMENT)
  system.advance(15_000)
  expect(await reader.next()).toEqual(COMMENT)
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  const [last] = await reader.rest()
  expect(JSON.parse(last?.data ?? '')).toEqual({ jsonrpc: '2.0', id: 8, result: { content: [] } })
})

test('[STREAM.4] ends a late stream of the short form with the failure', async () => {
  const { system, agent, stream } = await mcpCaller()
  const events = stream(CALL)
  await agent.next('tool_execute')
  system.advance(5_000)
  const reader = await events
  expect(await reader.next()).toEqual(COMMENT)
  agent.socket.terminate()
  const [last] = await reader.rest()
  expect(JSON.parse(last?.data ?? '')).toMatchObject({
    id: 8,
    result: { isError: true, _meta: { 'bridgekeeper/code': 'outcome_unknown' } },
  })
})

test('[STREAM.4] lets callers that read only JSON wait for it', async () => {
  const { system, agent, ask } = await mcpCaller()
  const posted = ask(CALL, { accept: 'application/json' })
  const { id } = await agent.next('tool_execute')
  system.advance(30_000)
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect((await posted).json.result).toEqual({ content: [] })
})

test('[STREAM.2] cancels a request without a session when its caller leaves', async () => {
  const { agent, stream } = await mcpCaller()
  const events = stream(SLOW_CALL)
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  message(agent, open.id)
  ;(await events).leave()
  expect((await agent.next('cancel')).id).toBe(open.id)
})

test('[STREAM.2] lets a request of a session go on when its caller leaves', async () => {
  const { agent, begin, stream } = await mcpCaller()
  const { session } = await begin()
  const events = stream(CALL, { ...session, ...version(NEWER) })
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  ;(await events).leave()
  expect((await agent.next('detach')).id).toBe(open.id)
  expect(agent.waiting).toEqual([])
})

test('[STREAM.3] ends a stream with event ids without an answer when the agent’s connection is cut', async () => {
  const { agent, begin, stream } = await mcpCaller()
  const { session } = await begin()
  const begun = stream(CALL, { ...session, ...version(NEWER) })
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  const reader = await begun
  await reader.next()
  const silent = stream(CALL, { ...session, ...version(NEWER) })
  const other = await nextOpen(agent)
  agent.socket.terminate()
  expect(await reader.rest()).toEqual([])
  expect(await (await silent).rest()).toEqual([{ id: `${other.id}_0.cOA`, retry: '3000', data: '' }])
})

test('[STREAM.3] answers outcome_unknown to a caller without event ids', async () => {
  const { agent, begin, stream, ask } = await mcpCaller()
  const { session } = await begin()
  const older = ask(CALL, { ...session, ...version(OLDER) })
  await nextOpen(agent)
  const stateless = stream(SLOW_CALL)
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  message(agent, open.id)
  const reader = await stateless
  await reader.next()
  agent.socket.terminate()
  const [last] = await reader.rest()
  expect(JSON.parse(last?.data ?? '')).toMatchObject({
    id: 9,
    result: { isError: true, _meta: { 'bridgekeeper/code': 'outcome_unknown' } },
  })
  expect((await older).json).toMatchObject({
    id: 8,
    result: { isError: true, _meta: { 'bridgekeeper/code': 'outcome_unknown' } },
  })
})

test('[STREAM.6] ends everything of a login that is revoked', async () => {
  const { at, agent, begin, stream, listen } = await mcpCaller()
  const { session } = await begin()
  const posted = stream(CALL, { ...session, ...version(NEWER) })
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  const standing = listen(session)
  const get = await nextOpen(agent, 'stream')
  agent.send({ type: 'accepted', id: get.id })
  const readers = [await posted, await standing]
  await readers[0]?.next()
  await at.bridge.revoke({ kind: 'user', id: 'user_ann' })
  for (const reader of readers) await expect(reader.rest()).rejects.toThrow()
})
