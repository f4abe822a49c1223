import { expect, test } from 'vitest'
import { MAX_OPEN_STREAMS } from '../../src/exchanges/exchange-table.ts'
import {
  ANSWER,
  ASK,
  ExchangeWorld,
  PROGRESS,
  REQUEST,
  SESSION,
  TABLE_LIMITS,
  TOO_LARGE,
} from '../support/exchange-world.ts'

const { callTimeoutMs, maxCallMs, maxPendingCalls } = TABLE_LIMITS

test('[EXCH.3] passes on an accepted exchange, its messages and its end, in order', () => {
  const at = new ExchangeWorld()
  const { id, seen, receive } = at.open({ session: SESSION })
  expect(at.agent.sent).toEqual([
    {
      type: 'open',
      id,
      server: 's',
      kind: 'request',
      era: '2025',
      client: 'client',
      version: '2025-11-25',
      session: SESSION,
      streams: true,
      message: REQUEST.message,
    },
  ])
  expect([receive({ type: 'accepted' }), receive({ type: 'message', number: 2, message: PROGRESS })]).toEqual(
    [true, false],
  )
  receive({ type: 'message', message: ASK })
  expect(receive({ type: 'end', status: 200, number: 3, message: ANSWER })).toBe(true)
  expect(seen).toEqual(['accepted', `${PROGRESS} 2`, `${ASK} -`, `200 ${ANSWER} 3`])
  expect([at.table.size, at.inFlight.count, at.system.armed]).toEqual([0, 0, 0])
})

test('[EXCH.3] ignores frames out of order, and everything after the end', () => {
  const { seen, receive } = new ExchangeWorld().open({ session: SESSION })
  expect(receive({ type: 'message', number: 1, message: PROGRESS })).toBe(false)
  receive({ type: 'accepted' })
  expect(receive({ type: 'accepted' })).toBe(false)
  receive({ type: 'message', number: 5, message: PROGRESS })
  for (const number of [5, 4]) receive({ type: 'message', number, message: PROGRESS })
  receive({ type: 'message', number: 6 })
  receive({ type: 'message', number: 6, message: Buffer.from('[]') })
  receive({ type: 'end', status: 200, number: 6, message: ANSWER })
  expect(receive({ type: 'end', status: 200, number: 7, message: ANSWER })).toBe(false)
  receive({ type: 'message', number: 8, message: PROGRESS })
  expect(seen).toEqual(['accepted', `${PROGRESS} 5`, `200 ${ANSWER} 6`])
})

test('[EXCH.3] passes on only messages after the last one that a resuming reader has', () => {
  const { seen, receive } = new ExchangeWorld().open({
    kind: 'stream',
    session: SESSION,
    resume: { id: 'earlier', after: 7 },
  })
  receive({ type: 'accepted' })
  for (const number of [7, 8]) receive({ type: 'message', number, message: PROGRESS })
  expect(seen).toEqual(['accepted', `${PROGRESS} 8`])
})

test.each([
  ['has no answer', { status: 200 }],
  ['has an answer that is not an object', { status: 200, message: Buffer.from('[]') }],
  ['has a number that does not rise', { status: 200, number: 1, message: ANSWER }],
])('[EXCH.3] fails a request whose end %s', (_title, end) => {
  const { seen, receive } = new ExchangeWorld().open({ session: SESSION })
  receive({ type: 'accepted' })
  receive({ type: 'message', number: 1, message: PROGRESS })
  receive({ type: 'end', ...end })
  expect(seen.at(-1)).toBe('failed result_invalid')
})

test.each(['note', 'stream', 'delete'] as const)('[EXCH.3] ends a %s without an answer', (kind) => {
  const { seen, receive } = new ExchangeWorld().open({ kind, method: undefined })
  receive({ type: 'end', status: 202 })
  expect(seen).toEqual(['202 empty -'])
})

test.each([
  [{ code: 'server_exited', error: 'gone\u0007' }, 'server_exited', 'gone '],
  [{ code: 'no_such_code', error: 'why' }, 'tool_failed', 'why'],
  [{ error: 'why' }, 'tool_failed', 'why'],
  [{ code: 'server_unavailable', message: ANSWER }, 'server_unavailable', ''],
])('[EXCH.4] ends with the reason %j of the agent as %s', (reason, code, text) => {
  const at = new ExchangeWorld()
  const { receive, seen } = at.open()
  receive({ type: 'end', status: 502, ...reason })
  expect(seen).toEqual([`failed ${code}`])
  const messages: string[] = []
  const reader = {
    accepted() {},
    message() {},
    ended: (end: object) => void ('error' in end && messages.push(String(end.error))),
  }
  const { id = '' } = at.table.open(at.agent, REQUEST, 'client', reader)
  at.table.received(at.agent, { type: 'end', id, status: 502, ...reason })
  expect(messages[0]).toContain(text)
})

test('[EXCH.4] fails an exchange at once whose end could not be read', () => {
  const at = new ExchangeWorld()
  const { id, seen } = at.open()
  at.table.endRefused(at.agent, id, 'result_too_large')
  at.table.endRefused(at.agent, 'unknown', 'result_too_large')
  expect(seen).toEqual(['failed result_too_large'])
})

test('[EXCH.5] cancels a request without progress at its deadline', () => {
  const at = new ExchangeWorld()
  const { seen } = at.open()
  at.system.advance(callTimeoutMs - 1)
  expect(seen).toEqual([])
  at.system.advance(1)
  expect([seen, at.followUps, at.table.size, at.inFlight.count]).toEqual([
    ['failed call_timeout'],
    ['cancel'],
    0,
    0,
  ])
})

test('[EXCH.5] extends the deadline with each sign of progress, up to the longest duration', () => {
  const at = new ExchangeWorld()
  const { seen, receive } = at.open()
  at.system.advance(callTimeoutMs - 1)
  receive({ type: 'accepted' })
  for (let times = 0; times < 5; times++) {
    at.system.advance(callTimeoutMs - 1)
    receive({ type: 'message', message: PROGRESS })
  }
  at.system.advance(maxCallMs - 6 * (callTimeoutMs - 1) - 1)
  expect(seen.at(-1)).toBe(`${PROGRESS} -`)
  at.system.advance(1)
  expect(seen.at(-1)).toBe('failed call_timeout')
})

test('[EXCH.5] waits for the longest duration while the server asks the caller, or a task runs', () => {
  const at = new ExchangeWorld()
  const asking = at.open()
  asking.receive({ type: 'accepted' })
  asking.receive({ type: 'message', message: ASK })
  const task = at.open({ method: 'tasks/result' })
  task.receive({ type: 'accepted' })
  at.system.advance(maxCallMs - 1)
  expect([asking.seen.length, task.seen.length]).toEqual([2, 1])
  at.system.advance(1)
  expect([asking.seen.at(-1), task.seen.at(-1)]).toEqual(['failed call_timeout', 'failed call_timeout'])
})

test('[EXCH.5] a message after the server asked begins the time limit again', () => {
  const at = new ExchangeWorld()
  const { seen, receive } = at.open()
  receive({ type: 'accepted' })
  receive({ type: 'message', message: ASK })
  receive({ type: 'message', message: PROGRESS })
  at.system.advance(callTimeoutMs)
  expect(seen.at(-1)).toBe('failed call_timeout')
})

test('[EXCH.5] has no deadline for streams and subscriptions', () => {
  const at = new ExchangeWorld()
  const stream = at.open({ kind: 'stream', method: undefined })
  const listening = at.open({ method: 'subscriptions/listen' })
  stream.receive({ type: 'accepted' })
  at.system.advance(10 * maxCallMs)
  expect([stream.seen, listening.seen, at.inFlight.count]).toEqual([['accepted'], [], 0])
})

test('[EXCH.6] ends the exchanges of a connection that ends: those of a session can be read on', () => {
  const at = new ExchangeWorld()
  const other = at.open({}, Object.create(at.agent) as typeof at.agent)
  const withSession = at.open({ session: SESSION })
  const without = at.open()
  at.table.cut(at.agent)
  at.table.cut(at.agent)
  expect([withSession.seen, without.seen]).toEqual([['cut outcome_unknown'], ['failed outcome_unknown']])
  expect([other.seen, at.table.size, at.inFlight.count, at.followUps]).toEqual([[], 1, 1, []])
})

test('[EXCH.7] refuses requests, and other exchanges, above their limits for one connection', () => {
  const at = new ExchangeWorld()
  const requests = Array.from({ length: maxPendingCalls + 1 }, () => at.open())
  expect(requests.at(-1)).toMatchObject({ seen: ['failed too_many_calls'], id: '' })
  const kinds = ['note', 'stream', 'delete'] as const
  for (let count = 0; count < MAX_OPEN_STREAMS; count++)
    expect(at.open({ kind: kinds[count % 3] ?? 'note', method: undefined }).seen).toEqual([])
  expect(at.open({ kind: 'note' }).seen).toEqual(['failed too_many_calls'])
  expect(at.open({ method: 'subscriptions/listen' }).seen).toEqual(['failed too_many_calls'])
  requests[0]?.receive({ type: 'end', status: 200, message: ANSWER })
  expect(at.open().seen).toEqual([])
  expect(at.open({}, Object.create(at.agent) as typeof at.agent).seen).toEqual([])
})

test('[EXCH.7] refuses an exchange while its agent reads too slowly', () => {
  const at = new ExchangeWorld()
  at.agent.isSlow = true
  expect(at.open().seen).toEqual(['failed agent_slow'])
  at.agent.isSlow = false
  expect(at.open().seen).toEqual([])
})

test.each([
  ['a message above 64 MiB', { message: TOO_LARGE }, 'arguments_too_large'],
  ['a message that is not JSON', { message: Buffer.from('{') }, 'request_invalid'],
  ['an invalid server name', { serverName: 'a\nb' }, 'request_invalid'],
  ['a long version', { version: 'x'.repeat(65) }, 'request_invalid'],
])('[EXCH.8] refuses %s before anything is sent', (_title, changes, code) => {
  const at = new ExchangeWorld()
  const { exchange, seen } = at.open(changes)
  exchange.cancel()
  exchange.detach()
  exchange.done()
  expect([seen, exchange.id, at.agent.sent, at.table.size]).toEqual([[`failed ${code}`], undefined, [], 0])
})

test('[EXCH.9] cancels an exchange at the agent, once', () => {
  const at = new ExchangeWorld()
  const { exchange, id, seen, receive } = at.open({ session: SESSION })
  exchange.cancel()
  exchange.cancel()
  exchange.detach()
  receive({ type: 'end', status: 200, message: ANSWER })
  expect([seen, at.agent.sent.slice(1)]).toEqual([['failed call_cancelled'], [{ type: 'cancel', id }]])
})

test('[EXCH.9] tells the agent that a reader left, and gives that reader nothing more', () => {
  const at = new ExchangeWorld()
  const { exchange, id, seen, receive } = at.open({ session: SESSION })
  receive({ type: 'accepted' })
  exchange.detach()
  exchange.detach()
  exchange.cancel()
  receive({ type: 'message', number: 1, message: PROGRESS })
  at.table.cut(at.agent)
  expect([seen, at.agent.sent.slice(1)]).toEqual([['accepted'], [{ type: 'detach', id }]])
  expect([at.table.size, at.inFlight.count]).toEqual([0, 0])
})

test('[EXCH.9] tells the agent of a session that its caller has everything, after the end', () => {
  const at = new ExchangeWorld()
  const { exchange, id, receive } = at.open({ session: SESSION })
  exchange.done()
  receive({ type: 'end', status: 200, message: ANSWER })
  exchange.done()
  const stateless = at.open()
  stateless.receive({ type: 'end', status: 200, message: ANSWER })
  stateless.exchange.done()
  expect(at.agent.sent.filter(({ type }) => type !== 'open')).toEqual([{ type: 'done', id }])
})

test('[EXCH.10] a closing bridge refuses exchanges, and waits for requests but not for streams', async () => {
  const at = new ExchangeWorld()
  at.open({ kind: 'stream' })
  at.open({ method: 'subscriptions/listen' })
  const { receive } = at.open()
  let drained = false
  const drain = at.inFlight.drain().then(() => (drained = true))
  expect(at.open().seen).toEqual(['failed shutting_down'])
  expect(at.open({ kind: 'note' }).seen).toEqual(['failed shutting_down'])
  await Promise.resolve()
  expect(drained).toBe(false)
  receive({ type: 'end', status: 200, message: ANSWER })
  await drain
})
