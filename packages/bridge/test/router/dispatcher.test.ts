import { BridgeError } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { type CallOutcome, failed } from '../../src/calls/outcome.ts'
import { Directory } from '../../src/directory/directory.ts'
import { ExchangeTable } from '../../src/exchanges/exchange-table.ts'
import { InFlight } from '../../src/exchanges/in-flight.ts'
import { MachineClients } from '../../src/exchanges/machine-clients.ts'
import { Blocklist } from '../../src/limiters/blocklist.ts'
import { RateLimiter, type RateLimits } from '../../src/limiters/rate-limit.ts'
import type { Caller } from '../../src/ports.ts'
import { type CallBlocks, CallGates } from '../../src/router/call-gates.ts'
import { Dispatcher } from '../../src/router/dispatcher.ts'
import { TABLE_LIMITS } from '../support/exchange-world.ts'
import { connectTo, FakeConnection, READY_SERVER, resultOf, shown } from '../support/fake-connection.ts'
import { HeldLog } from '../support/held-log.ts'

const CALL = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
const ANN: Caller = { userId: 'ann', sessionId: 'a', ip: '203.0.113.1' }
const LIMITS: RateLimits = { user: { maxCalls: 3, windowMs: 60_000, blockMs: 900_000 } }

function setUp(limits = LIMITS, recheck: CallBlocks['recheck'] = () => undefined) {
  const system = new FakeSystem()
  const log = new HeldLog()
  const inFlight = new InFlight()
  const table = new ExchangeTable(system, inFlight, TABLE_LIMITS)
  const directory = new Directory(table, new MachineClients(), system)
  const agent = new FakeConnection('ann', 'agent', [READY_SERVER])
  connectTo(directory, agent)
  const blocked: (readonly [string, number])[] = []
  const limiter = new RateLimiter(new Blocklist(), limits)
  const gates = new CallGates(limiter, log, system, {
    began: (...block) => void blocked.push(block),
    recheck,
  })
  const dispatcher = new Dispatcher(directory, gates, log, inFlight)
  const outcomes: CallOutcome[] = []
  const call = (caller: Caller = ANN, serverName = 's') =>
    dispatcher.call(caller, { ...CALL, serverName }, (outcome) => outcomes.push(outcome))
  return { system, log, agent, blocked, limiter, dispatcher, inFlight, outcomes, call }
}

test('[LOG.6] delivers the outcome of a call only once its end is written', () => {
  const { log, agent, outcomes, call } = setUp()
  call()
  log.holds = true
  agent.calls[0]?.settle(resultOf('secret'))
  expect(outcomes).toEqual([])
  log.held[0]?.()
  expect(outcomes.map(shown)).toEqual(['secret'])
  const requestId = 'call 1'
  const who = { userId: 'ann', ip: '203.0.113.1' }
  expect(log.events).toEqual([
    { event: 'ws_tool_execution_request', ...who, serverName: 's', toolName: 't', requestId, more: false },
    { event: 'ws_tool_execution_result', ...who, requestId, success: true, reason: undefined, more: false },
  ])
})

test('[LOG.6] announces that lines of other running calls follow', () => {
  const { log, agent, call } = setUp()
  call()
  call()
  agent.calls[0]?.settle({ kind: 'rpc-error', rpcError: Buffer.from('{}') })
  agent.calls[1]?.settle(resultOf('x'))
  expect(log.events.map(({ more }) => more)).toEqual([false, true, true, false])
  call()
  agent.calls[2]?.settle(failed(new BridgeError('call_timeout')))
  expect(log.named('ws_tool_execution_result')).toMatchObject([
    { success: false, reason: undefined },
    { success: true },
    { success: false, reason: 'call_timeout' },
  ])
})

test('[LOG.6] answers a call that reaches no agent, without logging a request', () => {
  const { log, outcomes, call } = setUp()
  call({ ...ANN, userId: 'bob' })()
  expect(outcomes.map(shown)).toEqual(['agent_offline'])
  expect(log.events).toEqual([])
})

test('[LOG.8] refuses and does not count calls without a writable log', () => {
  const { log, agent, outcomes, call } = setUp()
  log.writable = false
  for (let time = 0; time < 10; time++) call()
  expect(new Set(outcomes.map(shown))).toEqual(new Set(['log_unavailable']))
  log.writable = true
  call()
  expect(agent.calls).toHaveLength(1)
})

test('[RATE.1] allows calls up to the limit, and refuses the next, which starts one block', () => {
  const { log, agent, blocked, outcomes, system, call } = setUp()
  for (let time = 0; time < 2; time++) call()
  call()
  expect([agent.calls.length, blocked]).toEqual([3, []])
  system.advance(10)
  for (let time = 0; time < 2; time++) call()
  expect(agent.calls).toHaveLength(3)
  expect(outcomes.map(shown)).toEqual(['rate_limit_exceeded', 'rate_limit_exceeded'])
  expect(blocked).toEqual([['ann', 900_010]])
  const limited = { event: 'ws_rate_limit_exceeded', userId: 'ann', ip: '203.0.113.1', limit: 'user' }
  expect(log.named('ws_rate_limit_exceeded')).toEqual([
    { ...limited, retryAfter: 900 },
    { ...limited, retryAfter: 900 },
  ])
  call({ userId: 'bob', sessionId: 'b' })
  expect(outcomes.map(shown).at(-1)).toBe('agent_offline')
})

test('[SAMPLE.1] logs twenty refusals of a user a minute, then the number suppressed', () => {
  const { log, system, call } = setUp({ user: { ...LIMITS.user, maxCalls: 1 } })
  for (let time = 0; time < 31; time++) call()
  expect(log.named('ws_rate_limit_exceeded')).toHaveLength(20)
  call({ ...ANN, userId: 'bob' })
  call({ ...ANN, userId: 'bob' })
  expect(log.named('ws_rate_limit_exceeded')).toHaveLength(21)
  system.advance(60_000)
  call()
  expect(log.named('ws_rate_limit_exceeded').at(-1)).toMatchObject({ userId: 'ann', suppressed: 10 })
})

test('[SCOPE.2] refuses a call outside the scopes, counts it in no limit, and logs it by the sampler', () => {
  const { log, agent, blocked, outcomes, call, system } = setUp()
  const narrow = { ...ANN, scopes: ['tools:call:s/other'] }
  for (let time = 0; time < 21; time++) call(narrow)
  expect(new Set(outcomes.map(shown))).toEqual(new Set(['scope_insufficient']))
  expect(log.named('call_forbidden')).toHaveLength(20)
  const forbidden = { userId: 'ann', ip: '203.0.113.1', serverName: 's', toolName: 't' }
  expect(log.named('call_forbidden')[0]).toEqual({ event: 'call_forbidden', ...forbidden })
  system.advance(60_000)
  call({ ...narrow, userId: 'bob' })
  expect(log.named('call_forbidden').at(-1)).toEqual({ event: 'call_forbidden', ...forbidden, userId: 'bob' })
  call(narrow)
  expect(log.named('call_forbidden').at(-1)).toMatchObject({ suppressed: 1 })
  call({ ...ANN, scopes: ['tools:call:s/*'] })
  expect([agent.calls.length, blocked]).toEqual([1, []])
})

test('[LOG.6] delivers a refusal only once its line is written', () => {
  const { log, outcomes, call } = setUp()
  log.holds = true
  call({ ...ANN, scopes: [] })()
  expect(outcomes).toEqual([])
  log.held[0]?.()
  expect(outcomes.map(shown)).toEqual(['scope_insufficient'])
})

test('[CALL.4] cancels at the agent by the returned function and by the signal', async () => {
  const { agent, dispatcher, call } = setUp()
  call()()
  expect(agent.cancelled).toBe(1)
  const abort = new AbortController()
  const running = dispatcher.run(ANN, CALL, abort.signal)
  expect(agent.cancelled).toBe(1)
  abort.abort()
  expect(agent.cancelled).toBe(2)
  agent.calls[1]?.settle(resultOf('late'))
  expect(shown(await running)).toBe('late')
})

test('[CALL.4] starts nothing with an aborted signal, and cancels nothing after the end', async () => {
  const { agent, dispatcher } = setUp()
  expect(shown(await dispatcher.run(ANN, CALL, AbortSignal.abort()))).toBe('call_cancelled')
  expect(agent.calls).toEqual([])
  const abort = new AbortController()
  const ended = dispatcher.run(ANN, CALL, abort.signal)
  agent.calls[0]?.settle(resultOf('x'))
  await ended
  abort.abort()
  expect(agent.cancelled).toBe(0)
  const without = dispatcher.run(ANN, CALL)
  agent.calls[1]?.settle(resultOf('y'))
  expect(shown(await without)).toBe('y')
})

/** A caller over the limit, whose block the store is asked about; the test answers. */
function setUpBlocked() {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const at = setUp(LIMITS, (key) => {
    asked.push(key)
    return new Promise((resolve) => answers.push(resolve))
  })
  for (let calls = 0; calls < 4; calls++) at.call()
  expect([at.agent.calls.length, at.outcomes.map(shown)]).toEqual([3, ['rate_limit_exceeded']])
  expect(asked).toEqual([])
  return { ...at, asked, answers, key: String(at.blocked[0]?.[0]) }
}

test('[BLOCK.5] asks the store before it refuses a blocked caller, and runs the call if the block was lifted', async () => {
  const { agent, outcomes, call, limiter, asked, answers, key } = setUpBlocked()
  call()
  expect([asked, agent.calls.length, outcomes.length]).toEqual([[key], 3, 1])
  limiter.resetRateLimit(key)
  answers[0]?.()
  await expect.poll(() => agent.calls.length).toBe(4)
  agent.calls[3]?.settle(resultOf('x'))
  expect(outcomes.map(shown)).toEqual(['rate_limit_exceeded', 'x'])
})

test('[BLOCK.5] refuses a blocked caller again while the block holds', async () => {
  const { agent, outcomes, call, answers } = setUpBlocked()
  call()
  answers[0]?.()
  await expect.poll(() => outcomes.map(shown)).toEqual(['rate_limit_exceeded', 'rate_limit_exceeded'])
  expect(agent.calls).toHaveLength(3)
})

test('[BLOCK.5] cancels a call that waits for the store, and one that ran after it', async () => {
  const { agent, outcomes, call, limiter, answers, key } = setUpBlocked()
  const [cancelFirst, cancelSecond] = [call(), call()]
  cancelFirst()
  limiter.resetRateLimit(key)
  for (const answer of answers) answer()
  await expect.poll(() => agent.calls.length).toBe(4)
  expect(outcomes.map(shown)).toEqual(['rate_limit_exceeded', 'call_cancelled'])
  expect(agent.cancelled).toBe(0)
  cancelSecond()
  expect(agent.cancelled).toBe(1)
})

test('[STOP.1] ends a drain with the last call, and refuses calls from its start', async () => {
  const { agent, inFlight, outcomes, call } = setUp()
  call()
  call()
  expect(inFlight.count).toBe(2)
  let drained = 0
  const both = [inFlight.drain(), inFlight.drain()].map((drain) => drain.then(() => drained++))
  call()
  expect(outcomes.map(shown)).toEqual(['shutting_down'])
  agent.calls[0]?.settle(resultOf('1'))
  await new Promise((resolve) => setImmediate(resolve))
  expect([drained, inFlight.count]).toEqual([0, 1])
  agent.calls[1]?.settle(resultOf('2'))
  await Promise.all(both)
  expect([drained, inFlight.count]).toEqual([2, 0])
  await inFlight.drain()
})

test('[STOP.1] ends a drain without calls at once, and does not count ended ones', async () => {
  const { agent, inFlight, call } = setUp()
  for (let time = 0; time < 3; time++) {
    call()
    agent.calls[time]?.settle(resultOf('x'))
  }
  expect(inFlight.count).toBe(0)
  await inFlight.drain()
})
