import { expect, test } from 'vitest'
import { nextOpen } from '../support/exchange-agent.ts'
import { mcpCaller, NEWER, rpc, version } from '../support/mcp-client.ts'
import type { SseEvent } from '../support/sse.ts'

const idText = (event: SseEvent | undefined): string => event?.id ?? ''

/** The events of a stream that the agent does not know any more, for the caller who reads it on. */
async function readLost(body: object) {
  const { agent, begin, stream, listen } = await mcpCaller()
  const { session } = await begin()
  const headers = { ...session, ...version(NEWER) }
  const events = stream(body, headers)
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  const eventId = idText(await (await events).next())
  agent.send({ type: 'end', id: open.id, status: 200 })
  const reading = listen({ ...headers, 'last-event-id': eventId })
  const read = await nextOpen(agent, 'stream')
  expect(read.resume).toEqual({ id: open.id, after: 0 })
  agent.send({ type: 'end', id: read.id, status: 400, code: 'stream_unknown', error: 'gone' })
  const answer = await reading
  expect(answer.response.status).toBe(200)
  return (await answer.rest()).map(({ data = '' }) => JSON.parse(data))
}

test.each([8, 'a "ü"', -0.5])('[STREAM.10] answers a call whose stream is lost: id %s', async (id) => {
  const [answer, ...more] = await readLost(rpc('tools/call', { name: 't' }, id))
  expect(more).toEqual([])
  expect(answer).toMatchObject({
    id,
    result: { isError: true, _meta: { 'bridgekeeper/code': 'outcome_unknown' } },
  })
})

test('[STREAM.10] answers another request whose stream is lost with an error', async () => {
  const [answer] = await readLost(rpc('prompts/get', { name: 'p' }, 3))
  expect(answer).toMatchObject({ id: 3, error: { data: { code: 'outcome_unknown' } } })
})

test('[STREAM.10] names no request in an event id if its id is long', async () => {
  const { agent, begin, stream } = await mcpCaller()
  const { session } = await begin()
  const long = 'i'.repeat(200)
  const events = stream(rpc('tools/call', { name: 't' }, long), { ...session, ...version(NEWER) })
  const open = await nextOpen(agent)
  agent.send({ type: 'accepted', id: open.id })
  expect(idText(await (await events).next())).toBe(`${open.id}_0`)
})

test.each([
  ['no JSON', 'x'],
  ['an object', '{}'],
  ['null', 'null'],
  ['a line end', '\n1'],
])('[STREAM.10] refuses an event id with %s in place of a request id', async (_, text) => {
  const { agent, begin, listen } = await mcpCaller()
  const { session } = await begin()
  const eventId = `abc_0.c${Buffer.from(text).toString('base64url')}`
  const { response } = await listen({ ...session, 'last-event-id': eventId })
  expect(response.status).toBe(400)
  expect(agent.waiting).toEqual([])
})
