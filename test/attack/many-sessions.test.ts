import { expect, test } from 'vitest'
import type { SessionClient } from '../support/session-client.ts'
import { ALL, gate, startTalking } from '../support/talking.ts'

/** Processes of one key (INST.10), and the first one of the server. */
const POOL = 4
/** Processes whose users are asked (INST.15). */
const PARKED = 16
const CLIENTS = 20
const SESSIONS = 200
const UNCOUNTED = { rateLimits: { user: { maxCalls: 100_000, windowMs: 1_000, blockMs: 0 } } }

test('[INST.2] 200 sessions that nobody ends cost no process, and none is refused', async () => {
  const { client, login, record } = await startTalking(UNCOUNTED)
  const auth = await login()
  const clients: SessionClient[] = []
  while (clients.length < SESSIONS)
    clients.push(...(await Promise.all(Array.from({ length: 20 }, () => client(auth, {})))))
  const answers = await Promise.all(clients.map((each, n) => each.call('talk', { mark: `m${n};` })))
  expect(answers.filter(({ result }) => result === undefined)).toEqual([])
  expect(record.pids.size).toBe(1)
  for (const [n, { heard }] of clients.entries())
    expect(heard.match(/m\d+;/g)?.filter((mark) => mark !== `m${n};`) ?? []).toEqual([])
})

test('[INST.10] 20 clients that declare everything and call at once, twice, share the pool', async () => {
  const { client, record } = await startTalking(UNCOUNTED)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => client(undefined, ALL)))
  for (const round of ['first', 'second']) {
    const answers = await Promise.all(clients.map((each, n) => each.call('talk', { mark: `m${n};` })))
    for (const [n, answer] of answers.entries()) {
      expect(answer.result.content[0].text, round).toContain(`m${n};`)
      expect(clients[n]?.heard.match(/m\d+;/g)?.every((mark) => mark === `m${n};`)).toBe(true)
    }
  }
  expect(record.pids.size).toBeLessThanOrEqual(POOL + 1)
})

test('[INST.15] 20 clients whose users are all asked at once are all served', async () => {
  const { client, record } = await startTalking(UNCOUNTED)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => client(undefined, ALL)))
  const calls = clients.map((each, n) => each.call('ask', { mark: `m${n};` }))
  const isAsked = ({ method }: { method?: string }): boolean => method === 'elicitation/create'
  // As many as the machine lets wait for their users.
  await Promise.all(clients.slice(0, POOL + PARKED).map((each) => each.next(isAsked)))
  const answers = await Promise.all(
    clients.map(async (each, n) => {
      const ask = await each.next(isAsked)
      expect(ask.params.message).toBe(`m${n};`)
      await each.answer(ask.id, { action: 'accept', content: { answer: `a${n};` } })
      return calls[n]
    }),
  )
  for (const [n, answer] of answers.entries()) {
    expect(answer.result.content[0].text).toContain(`a${n};`)
    expect(clients[n]?.heard.match(/m\d+;/g)?.every((mark) => mark === `m${n};`)).toBe(true)
  }
  expect(record.pids.size).toBeLessThanOrEqual(POOL + 1 + PARKED)
})

test('[INST.15] clients whose users do not answer yet block nobody', async () => {
  const { client } = await startTalking(UNCOUNTED)
  const waiting = await Promise.all(Array.from({ length: POOL }, () => client(undefined, ALL)))
  const calls = waiting.map((each, n) => each.call('ask', { mark: `m${n};` }))
  const asks = await Promise.all(
    waiting.map((each) => each.next(({ method }) => method === 'elicitation/create')),
  )
  const other = await client(undefined, ALL)
  expect((await other.call('talk', { mark: 'free' })).result.content[0].text).toMatch(/^free /)
  for (const [n, each] of waiting.entries()) await each.answer(asks[n].id, { action: 'decline' })
  expect((await Promise.all(calls)).every(({ result }) => result !== undefined)).toBe(true)
})

test('[INST.2] a client that reads none of its streams delays no other', async () => {
  const { client, record } = await startTalking(UNCOUNTED)
  const idle = await client(undefined, {})
  const until = gate()
  const calls = Array.from({ length: 20 }, () =>
    idle.call('work', { until: until.path }, { progressToken: 1 }),
  )
  await record.has('"work"')
  const other = await client(undefined, {})
  expect((await other.call('talk', { mark: 'free' })).result.content[0].text).toMatch(/^free /)
  until.open()
  await Promise.all(calls)
})
