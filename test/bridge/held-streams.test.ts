import { expect, test, vi } from 'vitest'
import { exchangeAgent, nextOpen } from '../support/exchange-agent.ts'
import { mcpCaller, NEWER, PATH, progress, rpc, version } from '../support/mcp-client.ts'
import type { Peer } from '../support/peer.ts'
import { rawClient } from '../support/raw.ts'

const HOLD_MS = 20_000
const UNKNOWN = { status: 400, code: 'stream_unknown', error: 'gone' }

function message(peer: Peer, id: string, number: number): void {
  peer.send({ type: 'message', id, number, message: progress })
}

/** A caller in an MCP session, and machines that come and go. */
async function inSession() {
  const caller = await mcpCaller()
  const { at, system, agent, begin, listen } = caller
  const { session } = await begin()
  const headers = { ...session, ...version(NEWER) }
  /** The machine goes away. */
  const leave = async (peer = agent): Promise<void> => {
    peer.socket.terminate()
    await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  }
  /** Sends a GET, and waits until the bridge has begun to hold it. */
  const get = async (more: Record<string, string> = {}) => {
    const before = system.armed
    const opened = listen({ ...headers, ...more })
    await vi.waitFor(() => expect(system.armed).toBeGreaterThan(before), { interval: 5 })
    return { opened }
  }
  const back = async (server = 's'): Promise<Peer> => {
    const peer = await exchangeAgent(at, 'ann', server, 't')
    system.advance(100)
    return peer
  }
  return { ...caller, headers, leave, get, back }
}

test('[STREAM.11] holds a GET while its machine is away, and serves it when it is back', async () => {
  const { leave, get, back } = await inSession()
  await leave()
  const { opened } = await get()
  const agent = await back()
  const open = await nextOpen(agent, 'stream')
  agent.send({ type: 'accepted', id: open.id })
  const reader = await opened
  expect(reader.response.status).toBe(200)
  message(agent, open.id, 1)
  expect((await reader.next())?.id).toBe(`${open.id}_1_all`)
})

test.each<[string, Record<string, string>]>([
  ['a stream', {}],
  ['the rest of a stream', { 'last-event-id': 'abc_3' }],
])('[STREAM.11] refuses %s with the reason if the machine does not come back in time', async (_, more) => {
  const { leave, get, system } = await inSession()
  await leave()
  const { opened } = await get(more)
  await vi.waitFor(async () => {
    system.advance(HOLD_MS)
    const answer = await Promise.race([opened, Promise.resolve()])
    expect(answer?.response.status).toBe(503)
  })
  expect(await (await opened).response.text()).toContain('agent_offline')
})

test('[STREAM.11] holds the rest of a stream until the machine that has it is back', async () => {
  const { leave, get, back } = await inSession()
  await leave()
  const { opened } = await get({ 'last-event-id': 'abc_3.cOA' })
  const agent = await back()
  const open = await nextOpen(agent, 'stream')
  expect(open.resume).toEqual({ id: 'abc', after: 3 })
  const answer = (result: object) => ({ jsonrpc: '2.0', id: 8, result })
  agent.send({ type: 'accepted', id: open.id })
  agent.send({ type: 'end', id: open.id, status: 200, number: 4, message: answer({ a: 1 }) })
  // [MCP.19] adds the content.
  const data = JSON.stringify(answer({ content: [], a: 1 }))
  expect(await (await opened).rest()).toMatchObject([{ id: 'abc_4.cOA', data }])
})

test('[STREAM.11] refuses at once what a machine that is here refuses, and a forged session', async () => {
  const { agent, get, leave, listen } = await inSession()
  const { opened } = await get({ 'last-event-id': 'abc_3' })
  const open = await nextOpen(agent, 'stream')
  agent.send({ type: 'end', id: open.id, ...UNKNOWN })
  expect((await opened).response.status).toBe(400)
  await leave()
  expect((await listen({ 'mcp-session-id': 'forged' })).response.status).toBe(404)
  expect((await listen()).response.status).toBe(405)
})

test('[STREAM.11] keeps a stream open while its machine is away, and reads it on where it was', async () => {
  const { agent, get, leave, back, system } = await inSession()
  const { opened } = await get()
  const first = await nextOpen(agent, 'stream')
  agent.send({ type: 'accepted', id: first.id })
  const reader = await opened
  message(agent, first.id, 1)
  expect((await reader.next())?.id).toBe(`${first.id}_1_all`)
  await leave()
  system.advance(HOLD_MS)
  expect(await reader.next()).toEqual({ comment: 'keep-alive' })
  const again = await back()
  const second = await nextOpen(again, 'stream')
  expect(second.resume).toEqual({ id: first.id, after: 1 })
  again.send({ type: 'accepted', id: second.id })
  message(again, second.id, 2)
  expect((await reader.next())?.id).toBe(`${first.id}_2_all`)
})

test('[STREAM.11] reads a stream from now on if the agent does not know it any more', async () => {
  const { agent, get, leave, back } = await inSession()
  const { opened } = await get()
  const first = await nextOpen(agent, 'stream')
  agent.send({ type: 'accepted', id: first.id })
  const reader = await opened
  await leave()
  const again = await back()
  const second = await nextOpen(again, 'stream')
  again.send({ type: 'end', id: second.id, ...UNKNOWN })
  const third = await nextOpen(again, 'stream')
  expect(third.resume).toBeUndefined()
  again.send({ type: 'accepted', id: third.id })
  message(again, third.id, 1)
  expect((await reader.next())?.id).toBe(`${third.id}_1_all`)
})

test('[STREAM.11] ends a stream whose session the machine no longer knows', async () => {
  const { agent, get, leave, back } = await inSession()
  const { opened } = await get()
  const first = await nextOpen(agent, 'stream')
  agent.send({ type: 'accepted', id: first.id })
  const reader = await opened
  await leave()
  const again = await back()
  const second = await nextOpen(again, 'stream')
  again.send({ type: 'end', id: second.id, status: 404, code: 'session_unknown', error: 'ended' })
  expect(await reader.rest()).toEqual([])
})

test('[STREAM.11] counts a held stream once among the 64 of its user', async () => {
  const { leave, get, back, listen, headers } = await inSession()
  await leave()
  const held = []
  for (let count = 0; count < 64; count++) held.push(await get())
  expect((await listen(headers)).response.status).toBe(429)
  const agent = await back()
  for (const _ of held) {
    const { id } = await nextOpen(agent, 'stream')
    agent.send({ type: 'accepted', id })
  }
  for (const { opened } of held) expect((await opened).response.status).toBe(200)
  expect((await listen(headers)).response.status).toBe(429)
})

test('[STREAM.11] refuses a held stream once, although its answer waits behind another one', async () => {
  const { at, auth, headers, leave, back, system } = await inSession()
  await leave()
  const before = system.armed
  const lines = Object.entries({ ...auth, ...headers, accept: 'text/event-stream', host: '127.0.0.1' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const client = await rawClient(at.port)
  for (const path of ['/mcp', '/mcp/none']) client.write(`GET ${path} HTTP/1.1\r\n${head}\r\n`)
  // Keep-alive and slow readers of the first stream, and the time limit of the held one.
  await vi.waitFor(() => expect(system.armed).toBe(before + 3))
  const agent = await back()
  await nextOpen(agent, 'stream')
  expect(() => system.advance(HOLD_MS)).not.toThrow()
  const other = await exchangeAgent(at, 'ann', 'none', 't')
  expect(() => system.advance(100)).not.toThrow()
  // Of both requests, only the first is open: at the path of all servers.
  await nextOpen(other, 'stream')
  other.send({ type: 'ping' })
  await other.next('pong')
  expect(other.waiting).toEqual([])
})

test('[STREAM.11] gives up a held stream whose caller leaves', async () => {
  const { leave, back, at, system, headers, auth } = await inSession()
  await leave()
  const before = system.armed
  const gone = new AbortController()
  const sent = { ...auth, ...headers, accept: 'text/event-stream' }
  const opened = fetch(at.url + PATH, { headers: sent, signal: gone.signal })
  await vi.waitFor(() => expect(system.armed).toBeGreaterThan(before))
  gone.abort()
  await expect(opened).rejects.toThrow()
  await vi.waitFor(() => expect(system.armed).toBe(before))
  const agent = await back()
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect(agent.waiting).toEqual([])
})

test('[STREAM.11] reads on the stream of a call that was cut, once its machine is back', async () => {
  const { agent, stream, get, leave, back, system, headers } = await inSession()
  const begun = stream(rpc('tools/call', { name: 't' }, 8), headers)
  const first = await nextOpen(agent)
  agent.send({ type: 'accepted', id: first.id })
  const cut = await begun
  const { id = '' } = (await cut.next()) ?? {}
  await leave()
  expect(await cut.rest()).toEqual([])
  const { opened } = await get({ 'last-event-id': id })
  const again = await back()
  const open = await nextOpen(again, 'stream')
  expect(open.resume).toEqual({ id: first.id, after: 0 })
  again.send({ type: 'end', id: open.id, ...UNKNOWN })
  // The machine that is still away may have the stream.
  again.send({ type: 'ping' })
  await again.next('pong')
  system.advance(HOLD_MS)
  const events = await (await opened).rest()
  expect(events[0]?.data).toContain('outcome_unknown')
})
