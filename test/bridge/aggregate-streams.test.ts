import { MAX_HELD_BYTES, MAX_POSITIONS, READ_ON_MS } from '@bridgekeeper/bridge/testing'
import { limits } from '@bridgekeeper/protocol'
import { expect, test, vi } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { Chunked } from '../support/chunked.ts'
import { DAY_MS } from '../support/exchange-agent.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { connectMachine, type Machine, type Opened } from '../support/machines.ts'
import { bearer, codeIn, modernSubscription, post } from '../support/mcp.ts'
import { initialize, NEWER, rpc, version } from '../support/mcp-client.ts'
import { type EventReader, openEvents } from '../support/sse.ts'

const LISTS = ['tools', 'prompts', 'resources'].map((what) => `notifications/${what}/list_changed`)
const note = (method: string, params: object = {}) => ({ jsonrpc: '2.0', method, params })

async function setUp(...names: readonly string[]) {
  return setUpAt(await startBridge(), ...names)
}

async function setUpAt(at: TestBridge, ...names: readonly string[]) {
  const machine = await connectMachine(at, 'ann', ...names.map((name) => ({ name })))
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const { headers } = await post(at, '/mcp', initialize(), auth)
  const session = { ...auth, ...version(NEWER), 'mcp-session-id': headers.get('mcp-session-id') ?? '' }
  const tell = (body: object, more = {}) => post(at, '/mcp', body, { ...session, ...more })
  const listen = (more: Record<string, string> = {}) => openEvents(at, '/mcp', { ...session, ...more })
  const remove = () => fetch(`${at.url}/mcp`, { method: 'DELETE', headers: session })
  return { at, machine, auth, session, tell, listen, remove }
}

/** The streams that the bridge reads, once there are this many. */
async function streamsOf(machine: Machine, count: number): Promise<readonly Opened[]> {
  const streams = () => machine.opened.filter(({ kind }) => kind === 'stream')
  await vi.waitFor(() => expect(streams()).toHaveLength(count))
  return streams()
}

function send({ peer }: Machine, { id }: Opened, method: string, number?: number): void {
  peer.send({ type: 'message', id, message: note(method), ...(number !== undefined && { number }) })
}

async function nextMethod(events: EventReader): Promise<string> {
  for (;;) {
    const event = await events.next()
    if (event === undefined) throw new Error('The stream ended.')
    if (event.data !== undefined && event.data !== '') return JSON.parse(event.data).method
  }
}

async function listChanges(events: EventReader): Promise<readonly string[]> {
  return [await nextMethod(events), await nextMethod(events), await nextMethod(events)]
}

test('[AGG.11] shows the streams of all servers as one, with event ids', async () => {
  const { machine, listen } = await setUp('one', 'two')
  const events = await listen()
  expect(events.response.headers.get('content-type')).toBe('text/event-stream')
  const [one, two] = await streamsOf(machine, 2)
  expect([one?.server, two?.server]).toEqual(['one', 'two'])
  send(machine, one as Opened, 'x/one', 1)
  send(machine, two as Opened, 'x/two', 1)
  expect(await events.next()).toMatchObject({ id: `${one?.id}_1_all`, data: JSON.stringify(note('x/one')) })
  expect(await events.next()).toMatchObject({ id: `${two?.id}_1_all`, data: JSON.stringify(note('x/two')) })
  events.leave()
  await vi.waitFor(() => expect(machine.left.toSorted()).toEqual([one?.id, two?.id].toSorted()))
})

test('[AGG.11] says that lists changed when servers and machines come or go, and reads the new ones', async () => {
  const { at, machine, listen } = await setUp('one')
  const events = await listen()
  await streamsOf(machine, 1)
  machine.publish({ name: 'one' }, { name: 'late' })
  expect(await listChanges(events)).toEqual(LISTS)
  const [, late] = await streamsOf(machine, 2)
  expect(late?.server).toBe('late')
  send(machine, late as Opened, 'x/late', 1)
  expect(await nextMethod(events)).toBe('x/late')
  const other = await connectMachine(at, 'ann', { name: 'other' })
  expect(await listChanges(events)).toEqual(LISTS)
  await streamsOf(other, 1)
  other.peer.socket.close()
  expect(await listChanges(events)).toEqual(LISTS)
})

test('[LOAD.2] counts large messages of servers while they arrive', async () => {
  const names = Array.from({ length: MAX_HELD_BYTES / limits.frameBytes }, (_, at) => `s${at}`)
  const { machine, listen, tell } = await setUp(...names)
  const events = await listen()
  const [whole, ...stalled] = await streamsOf(machine, names.length)
  const announce = (opened: Opened | undefined) =>
    machine.peer.send({ type: 'message', id: opened?.id, bytes: limits.frameBytes, number: 1 })
  for (const opened of stalled) announce(opened)
  const large = note('x/large', { x: 'x'.repeat(limits.frameBytes - 100) })
  new Chunked(machine.peer).send(
    { type: 'message', id: whole?.id, number: 1 },
    Buffer.from(JSON.stringify(large)),
  )
  expect(await nextMethod(events)).toBe('x/large')
  // The unread part is counted again at the next write.
  send(machine, whole as Opened, 'x/small', 2)
  expect(await nextMethod(events)).toBe('x/small')
  expect((await tell(rpc('ping', { _meta: { x: 'x'.repeat(20_000) } }))).status).toBe(200)
  machine.peer.send({ type: 'message', id: whole?.id, bytes: limits.frameBytes - 10_000, number: 3 })
  await machine.settled()
  const ping = rpc('ping', { _meta: { x: 'x'.repeat(20_000) } })
  expect(codeIn((await tell(ping)).json)).toBe('too_many_requests')
})

test('[AGG.11] reads one of the streams on, and the others from now', async () => {
  const { machine, listen } = await setUp('one', 'two')
  const events = await listen()
  const [one] = await streamsOf(machine, 2)
  send(machine, one as Opened, 'x/one', 1)
  const { id = '' } = (await events.next()) ?? {}
  events.leave()
  const again = await listen({ 'last-event-id': id })
  expect(await listChanges(again)).toEqual(LISTS)
  const resumed = (await streamsOf(machine, 4)).slice(2)
  expect(resumed.map(({ resume }) => resume)).toEqual([
    { id: one?.id, after: 1 },
    { id: one?.id, after: 1 },
  ])
  machine.peer.send({ type: 'end', id: resumed[1]?.id, status: 400, code: 'stream_unknown', error: 'No.' })
  const fresh = (await streamsOf(machine, 5)).at(-1) as Opened
  expect([fresh.server, fresh.resume]).toEqual(['two', undefined])
  machine.peer.send({ type: 'accepted', id: resumed[0]?.id })
  send(machine, resumed[0] as Opened, 'x/more', 2)
  expect(await again.next()).toMatchObject({ id: `${one?.id}_2_all` })
  send(machine, fresh, 'x/two', 1)
  expect(await again.next()).toMatchObject({ id: `${fresh.id}_1_all` })
})

test('[AGG.11] reads on the stream of a request from the machine that has it', async () => {
  const { machine, listen } = await setUp('one', 'two')
  const started = listen({ 'last-event-id': 'abc_3' })
  const [one, two] = await streamsOf(machine, 2)
  expect(two?.resume).toEqual({ id: 'abc', after: 3 })
  machine.peer.send({ type: 'end', id: one?.id, status: 400, code: 'stream_unknown', error: 'No.' })
  machine.peer.send({
    type: 'end',
    id: two?.id,
    status: 200,
    number: 4,
    message: { jsonrpc: '2.0', id: 9, result: {} },
  })
  const events = await started
  const rest = (await events.rest()).filter(({ data }) => data !== undefined)
  expect(rest).toMatchObject([{ id: 'abc_4', data: JSON.stringify({ jsonrpc: '2.0', id: 9, result: {} }) }])
})

test('[AGG.11] reads on the stream of a request at a machine that comes back', async () => {
  const { at, machine, listen } = await setUp('one')
  const other = await connectMachine(at, 'ann', { name: 'two' })
  other.peer.socket.close()
  await vi.waitFor(() =>
    expect(at.bridge.listTools('user_ann').map(({ server }) => server)).not.toContain('two'),
  )
  const started = listen({ 'last-event-id': 'abc_3' })
  const [one] = await streamsOf(machine, 1)
  machine.peer.send({ type: 'end', id: one?.id, status: 400, code: 'stream_unknown', error: 'No.' })
  await machine.settled()
  const back = await connectMachine(at, 'ann', { name: 'two' })
  const [two] = await streamsOf(back, 1)
  expect(two?.resume).toEqual({ id: 'abc', after: 3 })
  const message = { jsonrpc: '2.0', id: 9, result: {} }
  back.peer.send({ type: 'end', id: two?.id, status: 200, number: 4, message })
  const rest = (await (await started).rest()).filter(({ data }) => data !== undefined)
  expect(rest).toMatchObject([{ id: 'abc_4', data: JSON.stringify(message) }])
})

test('[AGG.11] remembers the positions of the last 512 servers', { timeout: 20_000 }, async () => {
  const { machine, listen } = await setUp()
  const events = await listen()
  const round = async (names: readonly string[]): Promise<readonly Opened[]> => {
    const before = machine.opened.length
    machine.publish(...names.map((name) => ({ name })))
    const now = (await streamsOf(machine, before + names.length)).slice(before)
    await machine.settled()
    for (const { id } of now) machine.peer.send({ type: 'end', id, status: 200 })
    return now
  }
  const names = Array.from({ length: MAX_POSITIONS + 1 }, (_, at) => `s${at}`)
  for (let at = 0; at < names.length; at += limits.serversPerAgent)
    await round(names.slice(at, at + limits.serversPerAgent))
  const again = await round(['s0', 's1'])
  expect(again.map(({ resume }) => resume !== undefined)).toEqual([false, true])
  events.leave()
})

test('[AGG.11] reads the stream of each server on when its machine is back', async () => {
  const { at, machine, listen } = await setUp('one')
  const events = await listen()
  const [one] = await streamsOf(machine, 1)
  send(machine, one as Opened, 'x/one', 1)
  expect(await nextMethod(events)).toBe('x/one')
  machine.peer.socket.close()
  expect(await listChanges(events)).toEqual(LISTS)
  const back = await connectMachine(at, 'ann', { name: 'one' })
  const [again] = await streamsOf(back, 1)
  expect(again?.resume).toEqual({ id: one?.id, after: 1 })
})

test('[AGG.11] reads the stream of a server on that sent more than the bridge reads', async () => {
  const system = new FakeSystem()
  const { machine, listen } = await setUpAt(await startBridge({ system }), 'one', 'two')
  const events = await listen()
  const [one, two] = await streamsOf(machine, 2)
  send(machine, one as Opened, 'x/one', 1)
  expect(await nextMethod(events)).toBe('x/one')
  machine.peer.send({ type: 'end', id: one?.id, status: 200 })
  machine.peer.send({ type: 'end', id: two?.id, status: 500, code: 'too_many_calls', error: 'No.' })
  await machine.settled()
  expect(machine.opened.filter(({ kind }) => kind === 'stream')).toHaveLength(2)
  system.advance(READ_ON_MS)
  const again = (await streamsOf(machine, 4)).slice(2)
  expect(again.map(({ server, resume }) => [server, resume])).toEqual([
    ['one', { id: one?.id, after: 1 }],
    ['two', { id: two?.id, after: 0 }],
  ])
})

test('[STREAM.23] replaces the reader of a session at /mcp by a newer one', async () => {
  const { machine, listen } = await setUp('one', 'two')
  const older = await listen()
  const [one, two] = await streamsOf(machine, 2)
  const newer = await listen()
  const [third, fourth] = (await streamsOf(machine, 4)).slice(2)
  send(machine, one as Opened, 'x/last', 1)
  expect(await nextMethod(older)).toBe('x/last')
  for (const read of [one, two]) machine.peer.send({ type: 'end', id: read?.id, status: 200 })
  expect(await older.rest()).toEqual([])
  machine.publish({ name: 'one' }, { name: 'two' }, { name: 'late' })
  expect(await listChanges(newer)).toEqual(LISTS)
  const [late] = (await streamsOf(machine, 5)).slice(4)
  for (const read of [third, fourth, late]) {
    send(machine, read as Opened, `x/${read?.server}`, 1)
    expect(await nextMethod(newer)).toBe(`x/${read?.server}`)
  }
})

test('[STREAM.23] ends the older reader at /mcp while no machine is connected', async () => {
  const { machine, listen, remove } = await setUp('one')
  machine.peer.socket.close()
  const older = await listen()
  const newer = await listen()
  expect(await older.rest()).not.toContainEqual(expect.objectContaining({ data: expect.anything() }))
  expect((await remove()).status).toBe(204)
  await newer.rest()
})

test('[SESS.7] ends the stream at /mcp of a session that a machine does not know', async () => {
  const { machine, listen } = await setUp('one', 'two')
  const events = await listen()
  const [one] = await streamsOf(machine, 2)
  machine.peer.send({ type: 'end', id: one?.id, status: 404, code: 'session_unknown', error: 'No.' })
  expect(await events.rest()).toEqual([])
  await vi.waitFor(() => expect(machine.left).toHaveLength(1))
})

test('[AGG.11] sends notes and answers to every server, but initialized', async () => {
  const { machine, tell, at, auth } = await setUp('one', 'two')
  const notes = () =>
    machine.opened.filter(({ kind }) => kind === 'note').map(({ server, message }) => [server, message])
  expect((await tell(note('notifications/initialized'))).status).toBe(202)
  expect(notes()).toEqual([])
  const answer = { jsonrpc: '2.0', id: 'ask', result: { action: 'accept' } }
  expect((await tell(answer)).status).toBe(202)
  expect(notes()).toEqual([
    ['one', answer],
    ['two', answer],
  ])
  expect((await post(at, '/mcp', note('notifications/cancelled', { requestId: 1 }), auth)).status).toBe(202)
  expect(notes()).toHaveLength(2)
  expect((await tell(answer, { 'mcp-session-id': 'forged' })).status).toBe(404)
})

test('[AGG.11] ends a session once at each machine', async () => {
  const { at, machine, remove } = await setUp('one', 'two')
  const other = await connectMachine(at, 'ann', { name: 'three' })
  expect((await remove()).status).toBe(204)
  expect(machine.opened.filter(({ kind }) => kind === 'delete')).toHaveLength(1)
  expect(other.opened.filter(({ kind }) => kind === 'delete')).toHaveLength(1)
})

test('[SESS.7] answers 404 at /mcp to everything in a session that DELETE ended', async () => {
  const { at, session, tell, remove } = await setUp('one')
  const status = rpc('tools/call', { name: 'bridgekeeper__status' })
  const own = [rpc('ping'), rpc('prompts/list'), rpc('no/such'), status]
  for (const request of own) expect((await tell(request)).status, request.method).toBe(200)
  expect((await remove()).status).toBe(204)
  const notes = [note('notifications/initialized'), note('notifications/cancelled', { requestId: 1 })]
  for (const request of [...own, rpc('tools/list'), ...notes]) {
    const { status: code, json } = await tell(request)
    expect([code, codeIn(json)], request.method).toEqual([404, 'session_unknown'])
  }
  expect((await tell([rpc('ping')], version('2025-03-26'))).status).toBe(404)
  for (const method of ['GET', 'DELETE']) {
    const headers = { ...session, accept: 'text/event-stream' }
    expect((await fetch(`${at.url}/mcp`, { method, headers })).status, method).toBe(404)
  }
})

test('[AGG.11] keeps a session open while no machine is connected', async () => {
  const { machine, tell, listen, remove } = await setUp('one')
  machine.peer.socket.close()
  const events = await listen()
  expect((await tell(rpc('tools/list'))).json.result.tools).toMatchObject([{ name: 'bridgekeeper__status' }])
  expect((await tell(rpc('prompts/list'))).json.result).toEqual({ prompts: [] })
  expect((await tell(rpc('prompts/get', { name: 'one__p' }))).json.error.data.code).toBe('agent_offline')
  expect((await tell(note('notifications/cancelled', { requestId: 1 }))).status).toBe(202)
  expect(events.response.status).toBe(200)
  expect((await remove()).status).toBe(204)
})

test.each([
  ['null', null],
  ['a list', []],
  ['a text as resources', { resourceSubscriptions: 'test://a' }],
  ['a number among the resources', { resourceSubscriptions: ['test://a', 1] }],
])('[AGG.11] refuses a subscription with %s', async (_what, notifications) => {
  const { at, machine, auth } = await setUp('one')
  const { body, headers } = modernSubscription()
  const asked = { ...body, id: 'sub', params: { ...body.params, notifications } }
  const { json } = await post(at, '/mcp', asked, { ...auth, ...headers })
  expect(json).toMatchObject({ id: 'sub', error: { code: -32_602 } })
  expect(machine.opened).toEqual([])
})

test('[AGG.11] shows the subscriptions of the 2026 revision at all servers as one', async () => {
  const uri = 'file:///a'
  const lists = { resources: [{ uri, name: 'a' }] }
  const answer = ({ method }: Opened) => (method.endsWith('/list') ? lists : undefined)
  const resources = { capabilities: { resources: {} }, answer }
  const { at, machine, auth } = await setUp('plain')
  machine.publish({ name: 'plain' }, { name: 'one', ...resources }, { name: 'two', ...resources })
  const { body, headers } = modernSubscription()
  const wrapped = `bridgekeeper://two/${uri}`
  const notifications = { toolsListChanged: true, resourceSubscriptions: [uri, wrapped, 'none:1'] }
  const asked = { ...body, id: 'sub', params: { ...body.params, notifications } }
  await vi.waitFor(async () => {
    const { json } = await post(at, '/mcp', rpc('resources/list'), auth)
    expect(json.result.resources).toHaveLength(2)
  })
  const events = await openEvents(at, '/mcp', { ...auth, ...headers }, asked)
  const opened = () => machine.opened.filter(({ method }) => method === 'subscriptions/listen')
  await vi.waitFor(() => expect(opened()).toHaveLength(3))
  expect(opened().map(({ server, params }) => [server, params.notifications.resourceSubscriptions])).toEqual([
    ['plain', []],
    ['one', [uri]],
    ['two', [uri]],
  ])
  const next = async () => JSON.parse((await events.next())?.data ?? '')
  const _meta = { 'io.modelcontextprotocol/subscriptionId': 'sub' }
  expect(await next()).toEqual(note('notifications/subscriptions/acknowledged', { notifications, _meta }))
  const [, , two] = opened()
  machine.peer.send({ type: 'accepted', id: two?.id })
  send(machine, two as Opened, 'notifications/subscriptions/acknowledged')
  const message = note('notifications/resources/updated', { uri, _meta })
  machine.peer.send({ type: 'message', id: two?.id, message })
  expect(await next()).toEqual(note('notifications/resources/updated', { uri: wrapped, _meta }))
  machine.publish({ name: 'plain' })
  expect(await next()).toEqual(note('notifications/tools/list_changed', { _meta }))
  events.leave()
  await vi.waitFor(() => expect(machine.left.length).toBeGreaterThanOrEqual(3))
})
