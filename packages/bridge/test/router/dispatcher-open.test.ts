import type { OpenFrame } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { Directory } from '../../src/directory/directory.ts'
import type { Opening } from '../../src/exchanges/exchange.ts'
import { MachineClients } from '../../src/exchanges/machine-clients.ts'
import { Blocklist } from '../../src/limiters/blocklist.ts'
import { RateLimiter } from '../../src/limiters/rate-limit.ts'
import type { Caller } from '../../src/ports.ts'
import { type CallBlocks, CallGates } from '../../src/router/call-gates.ts'
import { Dispatcher } from '../../src/router/dispatcher.ts'
import { ANSWER, ExchangeWorld, NotedReader, PROGRESS, REQUEST, SESSION } from '../support/exchange-world.ts'
import { connectTo, FakeConnection, READY_SERVER } from '../support/fake-connection.ts'
import { HeldLog } from '../support/held-log.ts'

const SERVER = { ...READY_SERVER, capabilities: '{}' }
const ANN: Caller = { userId: 'ann', sessionId: 'a', ip: '203.0.113.1' }
const WHO = { userId: 'ann', ip: '203.0.113.1' }
const ERROR = Buffer.from('{"jsonrpc":"2.0","id":"caller","error":{"code":-32603,"message":"no"}}')

function setUp(recheck: CallBlocks['recheck'] = () => undefined, maxCalls = 3) {
  const { system, table, inFlight } = new ExchangeWorld()
  const log = new HeldLog()
  const directory = new Directory(table, new MachineClients(), system)
  const agent = new FakeConnection('ann', 'agent', [SERVER])
  connectTo(directory, agent)
  const user = { maxCalls, windowMs: 60_000, blockMs: 900_000 }
  const limiter = new RateLimiter(new Blocklist(), { user, tools: { 's/p': { ...user, maxCalls: 1 } } })
  const gates = new CallGates(limiter, log, system, { began: () => {}, recheck })
  const dispatcher = new Dispatcher(directory, gates, log, inFlight)
  const open = (changes: Partial<Opening> = {}, caller: Caller = ANN) => {
    const reader = new NotedReader()
    const exchange = dispatcher.open(caller, { ...REQUEST, ...changes }, reader)
    const answer = (message = ANSWER) =>
      table.received(agent, { type: 'end', id: exchange.id ?? '', status: 200, message })
    return { exchange, seen: reader.seen, answer }
  }
  const opened = () => agent.sent.filter((frame): frame is OpenFrame => frame.type === 'open')
  return { log, agent, table, inFlight, limiter, dispatcher, open, opened }
}

test('[EXCH.1] logs a request that passed the gates, and its end, before the caller gets it', () => {
  const { log, table, agent, open } = setUp()
  const { exchange, seen, answer } = open()
  const { id: requestId = '' } = exchange
  log.holds = true
  table.received(agent, { type: 'accepted', id: requestId })
  table.received(agent, { type: 'message', id: requestId, message: PROGRESS })
  answer()
  expect(seen).toEqual(['accepted', `${PROGRESS} -`])
  log.held[0]?.()
  expect(seen.at(-1)).toBe(`200 ${ANSWER} -`)
  const opened = { serverName: 's', kind: 'request', method: 'prompts/get', requestId, more: false }
  expect(log.events).toEqual([
    { event: 'exchange_opened', ...WHO, ...opened },
    { event: 'exchange_ended', ...WHO, requestId, success: true, reason: undefined, more: false },
  ])
})

test('[EXCH.1] logs a call of a tool like its short form', () => {
  const { log, open } = setUp()
  const { exchange, answer } = open({ method: 'tools/call', name: 't' })
  answer(ERROR)
  const { id: requestId } = exchange
  expect(log.events).toMatchObject([
    { event: 'ws_tool_execution_request', ...WHO, serverName: 's', toolName: 't', requestId },
    { event: 'ws_tool_execution_result', ...WHO, requestId, success: false, reason: undefined },
  ])
})

test.each(['note', 'stream', 'delete'] as const)(
  '[EXCH.1] logs the begin of a %s and not its end',
  (kind) => {
    const { log, open } = setUp()
    const { seen, answer } = open({ kind, method: undefined })
    answer()
    expect(seen).toHaveLength(1)
    expect(log.events).toMatchObject([{ event: 'exchange_opened', kind }])
  },
)

test('[EXCH.1] logs how an exchange ended without an answer', () => {
  const { log, table, agent, open } = setUp()
  const cancelled = open({ method: 'ping' })
  cancelled.exchange.cancel()
  const detached = open({ method: 'ping', session: SESSION })
  detached.exchange.detach()
  detached.exchange.detach()
  const cut = open({ method: 'ping', session: SESSION })
  table.cut(agent)
  expect(log.named('exchange_ended')).toMatchObject([
    { requestId: cancelled.exchange.id, success: false, reason: 'call_cancelled' },
    { requestId: detached.exchange.id, success: false, reason: 'detached' },
    { requestId: cut.exchange.id, success: false, reason: 'outcome_unknown' },
  ])
  expect([cancelled.seen, detached.seen, cut.seen]).toEqual([
    ['failed call_cancelled'],
    [],
    ['cut outcome_unknown'],
  ])
})

test('[EXCH.1] a reader that leaves before the end is written gets nothing, and the end is logged once', () => {
  const { log, open, agent } = setUp()
  const { exchange, seen, answer } = open({ session: SESSION })
  log.holds = true
  answer()
  exchange.detach()
  log.held[0]?.()
  exchange.done()
  expect([seen, log.named('exchange_ended').length]).toEqual([[], 1])
  expect(agent.sent.map(({ type }) => type)).toEqual(['open', 'done'])
})

test('[LOG.8] opens nothing without a writable log', () => {
  const { log, open, opened } = setUp()
  log.writable = false
  const methods = ['tools/call', 'prompts/get', 'tools/list', 'ping', undefined]
  for (const method of methods) expect(open({ method }).seen).toEqual(['failed log_unavailable'])
  expect(opened()).toEqual([])
})

test('[SCOPE.4] refuses and logs a request outside of the scopes of its token, and counts it in no limit', () => {
  const { log, open, opened } = setUp()
  const narrow = { ...ANN, scopes: ['tools:call:s/t'] }
  for (let time = 0; time < 4; time++) expect(open({}, narrow).seen).toEqual(['failed scope_insufficient'])
  expect(open({ method: 'tools/call', name: 'u' }, narrow).seen).toEqual(['failed scope_insufficient'])
  expect(opened()).toEqual([])
  expect(log.named('call_forbidden')[0]).toEqual({
    event: 'call_forbidden',
    ...WHO,
    serverName: 's',
    method: 'prompts/get',
  })
  expect(log.named('call_forbidden').at(-1)).toMatchObject({ toolName: 'u' })
  expect(open({ method: 'tools/call', name: 't' }, narrow).seen).toEqual([])
})

test('[SCOPE.4] refuses and logs a subscription to resources outside of the scopes of its token', () => {
  const { log, open, opened } = setUp()
  const listen = (notifications: object) => ({
    method: 'subscriptions/listen',
    message: Buffer.from(JSON.stringify({ params: { notifications } })),
  })
  const narrow = { ...ANN, scopes: ['tools:call:s/t'] }
  expect(open(listen({ resourceSubscriptions: ['x://1'] }), narrow).seen).toEqual([
    'failed scope_insufficient',
  ])
  expect(opened()).toEqual([])
  expect(log.named('call_forbidden')).toMatchObject([{ method: 'subscriptions/listen' }])
  expect(open(listen({ toolsListChanged: true }), narrow).seen).toEqual([])
})

test('[RATE.10] counts requests that read or run something together with calls, and no others', () => {
  const { log, open } = setUp()
  const costly = ['prompts/get', 'resources/read', 'vendor/anything']
  for (const method of costly) open({ method }).answer()
  for (const method of ['tools/call', ...costly])
    expect(open({ method }).seen).toEqual(['failed rate_limit_exceeded'])
  for (const method of ['tools/list', 'prompts/list', 'ping', 'tasks/get', 'completion/complete']) {
    const { seen, answer } = open({ method })
    answer()
    expect(seen).toEqual([`200 ${ANSWER} -`])
  }
  expect(open({ kind: 'note', method: undefined }).seen).toEqual([])
  expect(log.named('ws_rate_limit_exceeded').length).toBeGreaterThan(0)
})

test('[RATE.10] the limit of a tool counts calls of the tool only', () => {
  const { open } = setUp()
  for (const method of ['prompts/get', 'prompts/get']) expect(open({ method, name: 'p' }).seen).toEqual([])
})

test('[EXCH.1] refuses an exchange of a user without an agent, without logging it', () => {
  const { log, open } = setUp()
  const { exchange, seen } = open({}, { ...ANN, userId: 'bob' })
  exchange.cancel()
  exchange.done()
  expect([seen, exchange.id, log.events]).toEqual([['failed agent_offline'], undefined, []])
})

test('[EXCH.10] refuses exchanges while the bridge closes', async () => {
  const { inFlight, open } = setUp()
  await inFlight.drain()
  expect(open().seen).toEqual(['failed shutting_down'])
})

test('[EXCH.2] names each login to the agent, so that no other login can be taken for it', () => {
  const { open, opened } = setUp()
  open()
  open({ method: 'ping' })
  open({}, { ...ANN, sessionId: 'b' })
  const clients = opened().map(({ client }) => client)
  expect(clients[0]).toMatch(/^[\w-]{22}$/)
  expect([clients[1] === clients[0], clients[2] === clients[0]]).toEqual([true, false])
})

/** A caller over the limit, whose block the store is asked about; the test answers. */
function setUpBlocked() {
  const answers: (() => void)[] = []
  const at = setUp(() => new Promise((resolve) => answers.push(resolve)), 1)
  at.open()
  at.open()
  return { ...at, answers }
}

test('[BLOCK.5] asks the store before it refuses a blocked caller, and opens the exchange if the block was lifted', async () => {
  const { limiter, open, opened, answers, agent, table } = setUpBlocked()
  const { exchange, seen } = open()
  expect([exchange.id, seen]).toEqual([undefined, []])
  expect(open({ method: 'ping' }).exchange.id).toBeDefined()
  limiter.resetRateLimit('ann')
  answers[0]?.()
  await expect.poll(() => exchange.id).toBeDefined()
  table.received(agent, { type: 'accepted', id: exchange.id ?? '' })
  expect([seen, opened().length]).toEqual([['accepted'], 3])
})

test('[BLOCK.5] opens nothing for a caller that left while the store was asked', async () => {
  const { limiter, open, opened, answers } = setUpBlocked()
  const [cancelled, detached] = [open(), open()]
  cancelled.exchange.cancel()
  cancelled.exchange.cancel()
  detached.exchange.detach()
  limiter.resetRateLimit('ann')
  for (const answer of answers) answer()
  await new Promise((resolve) => setImmediate(resolve))
  expect([cancelled.seen, detached.seen, opened().length]).toEqual([['failed call_cancelled'], [], 1])
})
