import { expect, onTestFinished, test, vi } from 'vitest'
import { answerOpen, nextOpen } from '../support/exchange-agent.ts'
import { deafClient, request } from '../support/greedy.ts'
import { modernToolCall, post } from '../support/mcp.ts'
import { mcpCaller, NEWER, PATH, progress, rpc, version } from '../support/mcp-client.ts'
import type { Peer } from '../support/peer.ts'

const CALL = rpc('tools/call', { name: 't' }, 8)
const CANCELLED = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 8 } }
const ROOTS = { jsonrpc: '2.0', method: 'notifications/roots/list_changed' }
const RESPONSE = { jsonrpc: '2.0', id: 3, result: { action: 'accept' } }

function message(peer: Peer, id: string, number: number, text = ''): void {
  peer.send({ type: 'message', id, number, message: { ...progress, text } })
}

/** A caller in an MCP session. */
async function inSession() {
  const caller = await mcpCaller()
  const { open, session } = await caller.begin()
  return {
    ...caller,
    session,
    headers: { ...session, ...version(NEWER) },
    mcpSession: open.session as object,
  }
}

test('[STREAM.8] opens a stream by GET once the agent accepts it, with the ids of its messages', async () => {
  const { system, agent, listen, headers, mcpSession } = await inSession()
  const opened = listen(headers)
  const open = await nextOpen(agent, 'stream')
  expect(open).toMatchObject({ era: '2025', version: NEWER, streams: true, session: mcpSession })
  agent.send({ type: 'accepted', id: open.id })
  const reader = await opened
  expect([reader.response.status, reader.response.headers.get('content-type')]).toEqual([
    200,
    'text/event-stream',
  ])
  system.advance(15_000)
  expect(await reader.next()).toEqual({ comment: 'keep-alive' })
  message(agent, open.id, 1)
  expect((await reader.next())?.id).toBe(`${open.id}_1_all`)
  reader.leave()
  expect((await agent.next('detach')).id).toBe(open.id)
})

test.each(['*/*', 'text/html, */*; q=.2', ''])(
  '[STREAM.8] opens a stream by GET for a client that accepts all types: %j',
  async (accept) => {
    const { agent, listen, headers } = await inSession()
    const opened = listen({ ...headers, accept })
    const { id } = await nextOpen(agent, 'stream')
    agent.send({ type: 'accepted', id })
    const reader = await opened
    expect(reader.response.headers.get('content-type')).toBe('text/event-stream')
    reader.leave()
  },
)

test('[STREAM.8] ends a stream when another reader takes it, and keeps what the other reads', async () => {
  const { agent, listen, headers } = await inSession()
  const opened = listen(headers)
  const { id } = await nextOpen(agent, 'stream')
  agent.send({ type: 'accepted', id })
  const reader = await opened
  agent.send({ type: 'end', id, status: 200 })
  expect(await reader.rest()).toEqual([])
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(agent.waiting).toEqual([])
})

test('[STREAM.9] reads a stream on behind the last event that the caller has', async () => {
  const { agent, stream, listen, headers } = await inSession()
  const begun = stream(CALL, headers)
  const first = await nextOpen(agent)
  agent.send({ type: 'accepted', id: first.id })
  message(agent, first.id, 1)
  const cut = await begun
  await cut.next()
  const lastId = (await cut.next())?.id ?? ''
  cut.leave()
  await agent.next('detach')
  const resumed = listen({ ...headers, 'last-event-id': lastId })
  const open = await nextOpen(agent, 'stream')
  expect(open.resume).toEqual({ id: first.id, after: 1 })
  agent.send({ type: 'accepted', id: open.id })
  message(agent, open.id, 2)
  const answer = { jsonrpc: '2.0', id: 8, result: { content: [] } }
  agent.send({ type: 'end', id: open.id, status: 200, number: 3, message: answer })
  const events = await (await resumed).rest()
  expect(events.map(({ id }) => id)).toEqual([`${first.id}_2.cOA`, `${first.id}_3.cOA`])
  expect(JSON.parse(events[1]?.data ?? '')).toEqual(answer)
  expect((await agent.next('done')).id).toBe(open.id)
})

test('[STREAM.9] answers 400 to an event id that is unknown or malformed', async () => {
  const { agent, listen, headers } = await inSession()
  for (const eventId of [
    'x',
    '1',
    'a_',
    '_1',
    'a_b',
    'a_-1',
    `a_${'9'.repeat(16)}`,
    `${'a'.repeat(129)}_1`,
  ]) {
    const { response } = await listen({ ...headers, 'last-event-id': eventId })
    expect([eventId, response.status]).toEqual([eventId, 400])
  }
  const posted = listen({ ...headers, 'last-event-id': 'unknown_1' })
  const { id } = await nextOpen(agent, 'stream')
  agent.send({ type: 'end', id, status: 400, code: 'stream_unknown', error: 'gone' })
  const { response } = await posted
  expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('stream_unknown')])
})

test('[STREAM.8] refuses GET without a session, without events in Accept, and of revision 2026-07-28', async () => {
  const { at, auth, agent, listen, headers } = await inSession()
  expect((await listen()).response.status).toBe(400)
  for (const accept of ['application/json', '*/*, text/event-stream;q=0'])
    expect((await listen({ ...headers, accept })).response.status).toBe(406)
  expect((await listen({ ...headers, ...version('2026-07-28') })).response.status).toBe(405)
  for (const [path, method, revision, allowed] of [
    [PATH, 'PUT', '2025-11-25', 'GET, POST, DELETE'],
    ['/mcp', 'HEAD', '2025-11-25', 'GET, POST, DELETE'],
    [PATH, 'OPTIONS', '2026-07-28', 'POST'],
    ['/mcp/absent', 'GET', '2025-11-25', 'POST'],
  ] as const) {
    const refused = await fetch(at.url + path, { method, headers: { ...auth, ...version(revision) } })
    expect([refused.status, refused.headers.get('allow')], method).toEqual([405, allowed])
  }
  expect(agent.waiting).toEqual([])
})

test.each(['GET', 'DELETE', 'POST'])(
  '[STREAM.8] refuses %s of a session in a revision that does not exist',
  async (method) => {
    const { at, auth, agent, headers } = await inSession()
    const body = method === 'POST' ? { body: Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}') } : {}
    for (const path of [PATH, '/mcp']) {
      const refused = await fetch(at.url + path, {
        ...{ method, ...body },
        headers: { ...auth, ...headers, accept: 'text/event-stream', ...version('1999-01-01') },
      })
      expect(refused.status).toBe(400)
      expect(await refused.json()).toMatchObject({ id: null, error: { code: -32_000 } })
    }
    expect(agent.waiting).toEqual([])
  },
)

test('[SESS.7] ends a session by DELETE, with the status of the agent', async () => {
  const { at, auth, agent, headers } = await inSession()
  const remove = (more: Record<string, string>) =>
    fetch(at.url + PATH, { method: 'DELETE', headers: { ...auth, ...more } })
  expect((await remove({})).status).toBe(400)
  const removed = remove(headers)
  const open = await nextOpen(agent, 'delete')
  agent.send({ type: 'end', id: open.id, status: 200 })
  expect((await removed).status).toBe(204)
  expect((await remove(headers)).status).toBe(404)
})

test('[SESS.7] answers 404 to DELETE if the agent does not know the session', async () => {
  const { at, auth, agent, headers } = await inSession()
  const removed = fetch(at.url + PATH, { method: 'DELETE', headers: { ...auth, ...headers } })
  const { id } = await nextOpen(agent, 'delete')
  agent.send({ type: 'end', id, status: 404, code: 'session_unknown', error: 'ended' })
  expect((await removed).status).toBe(404)
})

test.each<[string, object, object]>([
  ['a notification', ROOTS, ROOTS],
  ['a cancellation', CANCELLED, CANCELLED],
  ['a response', RESPONSE, RESPONSE],
  ['a batch', [ROOTS, RESPONSE], [ROOTS, RESPONSE]],
])('[SESS.8] sends %s of a session to the agent, and answers once it has it', async (_what, body, sent) => {
  const { agent, ask, session, mcpSession } = await inSession()
  const posted = ask(body, session)
  const open = await nextOpen(agent, 'note')
  expect(open).toMatchObject({ message: sent, session: mcpSession, streams: false })
  agent.send({ type: 'end', id: open.id, status: 202 })
  const { status, text } = await posted
  expect([status, text]).toEqual([202, ''])
})

test('[SESS.8] answers with the status of the agent if it refuses notes', async () => {
  const { agent, ask, session } = await inSession()
  for (const body of [ROOTS, [ROOTS, RESPONSE]]) {
    const posted = ask(body, session)
    const { id } = await nextOpen(agent, 'note')
    agent.send({ type: 'end', id, status: 404, code: 'session_unknown', error: 'ended' })
    expect((await posted).status).toBe(404)
  }
})

test('[SESS.8] accepts notes without a session, and sends them to nobody', async () => {
  const { agent, ask } = await inSession()
  for (const body of [ROOTS, RESPONSE, [ROOTS], CANCELLED]) expect((await ask(body)).status).toBe(202)
  expect(agent.waiting).toEqual([])
})

test('[SESS.8] answers a batch of requests and notes in the order of its requests', async () => {
  const { agent, ask, session } = await inSession()
  const posted = ask([ROOTS, rpc('a/b', {}, 1), RESPONSE, rpc('a/b', {}, 2)], session)
  const note = await nextOpen(agent, 'note')
  const first = await nextOpen(agent)
  const answer = await nextOpen(agent, 'note')
  const second = await nextOpen(agent)
  expect([note.message, answer.message]).toEqual([[ROOTS], [RESPONSE]])
  expect([first.streams, second.streams]).toEqual([false, false])
  for (const { id } of [note, answer]) agent.send({ type: 'end', id, status: 202 })
  for (const open of [second, first]) answerOpen(agent, open)
  expect((await posted).json.map(({ id }: { id: number }) => id)).toEqual([1, 2])
})

test('[CALL.11] cancels an exchange without a session by notifications/cancelled', async () => {
  const { agent, ask } = await inSession()
  const posted = ask(rpc('tools/call', { name: 't', _meta: { progressToken: 1 } }, 8))
  const { id } = await nextOpen(agent)
  expect((await ask(CANCELLED)).status).toBe(202)
  expect((await agent.next('cancel')).id).toBe(id)
  expect((await posted).json).toMatchObject({ id: 8, error: { data: { code: 'call_cancelled' } } })
})

test('[STREAM.7] refuses the 65th stream of a user with too_many_requests, and serves requests beside them', async () => {
  const { at, auth, agent, ask, listen, headers } = await inSession()
  const open = async () => {
    const opened = listen(headers)
    const { id } = await nextOpen(agent, 'stream')
    agent.send({ type: 'accepted', id })
    return opened
  }
  const first = await open()
  for (let count = 1; count < 64; count++) await open()
  const { response } = await listen(headers)
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1'])
  const { body, headers: modern } = modernToolCall('')
  const subscribe = { ...body, method: 'subscriptions/listen' }
  // Also where the bridge itself answers.
  for (const path of [PATH, '/mcp/none']) {
    const refused = await post(at, path, subscribe, { ...auth, ...modern, 'mcp-method': subscribe.method })
    expect(refused.status).toBe(429)
  }
  const posted = ask(rpc('ping'), headers)
  answerOpen(agent, await nextOpen(agent))
  expect((await posted).status).toBe(200)
  first.leave()
  await agent.next('detach')
  expect((await open()).response.status).toBe(200)
})

test('[STREAM.7] frees all subscriptions of a batch at its end, without a warning of Node', async () => {
  const warnings: string[] = []
  const keep = ({ name }: Error) => warnings.push(name)
  process.on('warning', keep)
  onTestFinished(() => void process.off('warning', keep))
  const { agent, ask, listen, headers } = await inSession()
  const subscriptions = Array.from({ length: 32 }, (_, id) => rpc('subscriptions/listen', {}, id))
  for (let batch = 0; batch < 3; batch++) {
    const posted = ask(subscriptions)
    for (const _ of subscriptions) answerOpen(agent, await nextOpen(agent))
    expect((await posted).status).toBe(200)
  }
  const opened = listen(headers)
  agent.send({ type: 'accepted', id: (await nextOpen(agent, 'stream')).id })
  expect((await opened).response.status).toBe(200)
  expect(warnings).not.toContain('MaxListenersExceededWarning')
})

test('[LIVE.4] closes a stream whose caller reads nothing for 60 seconds, whatever is sent meanwhile', async () => {
  const { at, system, agent, auth, headers } = await inSession()
  const client = await deafClient(at)
  client.write(request(JSON.stringify(CALL), { ...auth, ...headers }, PATH))
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  const text = 'x'.repeat(900_000)
  for (let number = 1; number <= 12; number++) message(agent, open.id, number, text)
  agent.send({ type: 'ping' })
  await agent.next('pong')
  for (let number = 13; number <= 15; number++) {
    system.advance(19_000)
    message(agent, open.id, number)
    agent.send({ type: 'ping' })
    await agent.next('pong')
  }
  expect(agent.waiting.map(({ type }) => type)).toEqual([])
  system.advance(5_000)
  expect((await agent.next('detach')).id).toBe(open.id)
})

test('[LOAD.2] cuts off a stream when its user’s unread answers exceed 64 MiB', async () => {
  const { at, system, log, agent, auth, headers } = await inSession()
  const client = await deafClient(at)
  client.write(request(JSON.stringify(CALL), { ...auth, ...headers }, PATH))
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  const text = 'x'.repeat(1_000_000)
  for (let number = 1; number <= 76; number++) message(agent, open.id, number, text)
  await vi.waitFor(() => {
    system.advance(100)
    expect(log.named('mcp_slow_caller')).toHaveLength(1)
  }, 20_000)
  expect((await agent.next('detach')).id).toBe(open.id)
})
