import { expect, test } from 'vitest'
import { SessionClient } from '../support/session-client.ts'
import { gate, startTalking } from '../support/talking.ts'

/** Two clients: of two logins of one user, or with two sessions of one login. */
const PAIRS = [
  ['two logins of one user', true],
  ['two sessions of one login', false],
] as const
const CAPABILITIES = [
  ['that share a process', {}],
  ['that can be asked', { elicitation: {}, sampling: {} }],
] as const
const CASES = PAIRS.flatMap(([pair, isOther]) =>
  CAPABILITIES.map(([what, capabilities]) => [`${pair} ${what}`, isOther, capabilities] as const),
)

async function pairOf(isOther: boolean, capabilities: object) {
  const talking = await startTalking()
  const auth = await talking.login()
  const first = await talking.client(auth, capabilities)
  const second = await talking.client(isOther ? undefined : auth, capabilities)
  return { ...talking, first, second }
}

const isAnswer = (message: { id?: unknown; method?: unknown }) =>
  message.id !== undefined && message.method === undefined

test.each(CASES)(
  '[SESS.23] keeps logs, progress and notifications apart: %s',
  async (_, isOther, capabilities) => {
    const { first, second, record } = await pairOf(isOther, capabilities)
    await Promise.all([first.listen(), second.listen()])
    const until = gate()
    const calls = [
      first.call('talk', { mark: 'one', until: until.path }, { progressToken: 5 }),
      second.call('talk', { mark: 'two', until: until.path }, { progressToken: 5 }),
    ]
    await record.has('"one"')
    await record.has('"two"')
    until.open()
    await Promise.all(calls)
    for (const [client, own, other] of [
      [first, 'one', 'two'],
      [second, 'two', 'one'],
    ] as const) {
      expect(client.heard).not.toContain(other)
      expect(client.messages).toContainEqual(
        expect.objectContaining({ params: expect.objectContaining({ progressToken: 5, message: own }) }),
      )
    }
  },
)

test('[SESS.23] keeps the log of a call in the short form from other clients', async () => {
  const talking = await startTalking()
  const first = await talking.client(undefined, {})
  const stateless = new SessionClient(first.url, await talking.login())
  await first.listen()
  const until = gate()
  const calls = [
    first.call('talk', { mark: 'one', until: until.path }, { progressToken: 5 }),
    stateless.call('talk', { mark: 'two', until: until.path }),
  ]
  await talking.record.has('"one"')
  await talking.record.has('"two"')
  until.open()
  await Promise.all(calls)
  expect(talking.record.pids.size).toBe(1)
  expect(first.heard).not.toContain('two')
})

test.each(PAIRS)('[ASK.3] asks only the client whose call made the server ask: %s', async (_, isOther) => {
  const { first, second, record } = await pairOf(isOther, { elicitation: {}, sampling: {} })
  await Promise.all([first.listen(), second.listen()])
  const calls = { one: first.call('ask', { mark: 'one' }), two: second.call('sample', { mark: 'two' }) }
  const ask = await first.next(({ method }) => method === 'elicitation/create')
  const sample = await second.next(({ method }) => method === 'sampling/createMessage')
  expect(first.heard).not.toContain('two')
  expect(second.heard).not.toContain('one')
  // The thief answers both asks: under the other's id, and under the server's own.
  for (const id of [ask.id, 'ask-1', 1, 'ask-2'])
    expect((await second.answer(id, { action: 'accept', content: { answer: 'stolen' } })).status).toBe(202)
  await first.answer(ask.id, { action: 'accept', content: { answer: 'own' } })
  await second.answer(sample.id, { role: 'assistant', content: { type: 'text', text: 'mine' }, model: 'm' })
  expect(JSON.stringify(await calls.one)).toContain('own')
  expect(JSON.stringify(await calls.two)).toContain('mine')
  expect(record.lines.join('\n')).not.toContain('stolen')
})

test.each(PAIRS)('[SESS.2] another client cannot cancel, read or end: %s', async (_, isOther) => {
  const { first, second, record } = await pairOf(isOther, {})
  const until = gate()
  const call = first.rpc('tools/call', { name: 'talk', arguments: { mark: 'one', until: until.path } })
  const answered = first.post(call)
  await record.has('"one"')
  await first.next(({ method }) => method === 'notifications/message')
  for (const requestId of [call.id, String(call.id), 1, 2, 3, first.eventIds[0]])
    await second.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
  const [eventId = ''] = first.eventIds
  const [position = ''] = eventId.split('.')
  expect((await second.listen({ 'last-event-id': position })).status).toBe(400)
  const { ended } = await second.listen({ 'last-event-id': eventId })
  expect(await ended).toContain('outcome_unknown')
  until.open()
  await answered
  expect((await first.next(isAnswerOf(call.id))).result.content[0].text).toMatch(/^one /)
  expect(record.lines.join('\n')).not.toContain('cancelled')
  expect(second.heard).not.toContain('one')
})

const isAnswerOf = (id: unknown) => (message: { id?: unknown; method?: unknown }) =>
  isAnswer(message) && message.id === id

test('[SESS.2] refuses a stolen Mcp-Session-Id in each kind of request', async () => {
  const { first, second, client, login } = await pairOf(true, {})
  const session = first.headers['mcp-session-id'] ?? ''
  const thief = new SessionClient(second.url, { ...second.headers, 'mcp-session-id': session })
  const note = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
  for (const body of [first.rpc('tools/list'), note, { jsonrpc: '2.0', id: 1, result: {} }])
    expect((await thief.post(body)).status).toBe(404)
  expect((await thief.listen()).status).toBe(404)
  const { status } = await fetch(first.url, { method: 'DELETE', headers: thief.headers })
  expect(status).toBe(404)
  expect((await first.request('ping')).result).toEqual({})
  // Nor does it help the next client.
  const third = await client(await login(), {})
  expect((await third.request('ping')).result).toEqual({})
})

test.each(PAIRS)('[SESS.24] sends changes of a resource to its subscriber only: %s', async (_, isOther) => {
  const { first, second } = await pairOf(isOther, {})
  await Promise.all([first.listen(), second.listen()])
  await first.request('resources/subscribe', { uri: 'x://one' })
  await second.request('resources/subscribe', { uri: 'x://two' })
  await second.request('resources/unsubscribe', { uri: 'x://one' })
  await second.call('change', { uri: 'x://one' })
  await second.call('change', { uri: 'x://two' })
  await first.next(({ method }) => method === 'notifications/resources/updated')
  await second.next(({ method }) => method === 'notifications/resources/updated')
  for (const client of [first, second])
    await client.next(({ method }) => method === 'notifications/tools/list_changed')
  expect(first.heard).not.toContain('two')
  expect(second.heard).not.toContain('one')
})
