import { expect, test } from 'vitest'
import { MAX_PENDING, OneConnection, settled, TIMEOUT_MS } from '../support/one-connection.ts'

const RESULT = { type: 'tool_result', success: true, result: { content: [] } }
const CATALOG = { type: 'catalog', servers: [{ state: 'starting', name: 's' }] }

test('[CHAL.5] accepts no call, result or catalog before the challenge is answered', async () => {
  const one = new OneConnection()
  one.send({ type: 'tool_execute', id: 'i', serverName: 's', toolName: 't', args: {} })
  one.send(CATALOG)
  one.send({ ...RESULT, id: 'x' })
  expect([one.executed, one.happened, one.catalogs]).toEqual([[], [], []])
  await one.ready()
  expect(one.happened).toEqual(['verified'])
  one.send(CATALOG)
  expect(one.catalogs[0]?.get('s')?.state).toBe('starting')
  one.send({ ...CATALOG, servers: [] })
  expect(one.catalogs[1]?.size).toBe(0)
})

test('[AGG.6] reports the machine’s name, and the wall clock at its verification', async () => {
  for (const withDevice of [true, false]) {
    const one = new OneConnection({ withDevice })
    one.system.advance(5_000)
    const { connection } = await one.ready()
    const verifiedAtMs = one.system.nowMs()
    one.system.advance(5_000)
    expect([connection.machineName, connection.sinceMs]).toEqual([
      withDevice ? 'laptop' : undefined,
      verifiedAtMs,
    ])
  }
})

test('[CALL.5] refuses a call above the limit of waiting calls, also after many finished ones', async () => {
  const one = await new OneConnection().ready()
  for (let time = 0; time < 600; time++) {
    const { id } = one.call()
    one.send({ ...RESULT, id })
  }
  expect(one.outcomes).toEqual(Array(600).fill('{"content":[]}'))
  one.outcomes.length = 0
  for (let time = 0; time < MAX_PENDING; time++) expect(one.call().id).toBeDefined()
  expect(one.outcomes).toEqual([])
  expect(one.call().id).toBeUndefined()
  expect(one.outcomes).toEqual(['too_many_calls'])
  expect(one.sent('tool_execute')).toHaveLength(600 + MAX_PENDING)
  one.send({ ...RESULT, id: one.socket.idsOf('tool_execute').at(-1) })
  expect(one.call().id).toBeDefined()
})

test('[LIVE.2] sends no calls to a peer that reads too slowly, until it reads again', async () => {
  const one = await new OneConnection().ready()
  for (let time = 0; time < 2; time++) {
    one.connection.slow = true
    expect(one.call().id).toBeUndefined()
    one.connection.slow = false
    expect(one.call().id).toBeDefined()
  }
  expect(one.outcomes).toEqual(['agent_slow', 'agent_slow'])
})

test('[CALL.6] does not count a call that cannot be sent', async () => {
  const one = await new OneConnection().ready()
  for (let time = 0; time < 5; time++) one.call({ toolName: '' })
  expect(one.outcomes).toEqual(Array(5).fill('tool_name_invalid'))
  for (let time = 0; time < MAX_PENDING; time++) expect(one.call().id).toBeDefined()
})

test.each([
  ['v2', 1],
  ['v1', 0],
] as const)(
  '[CALL.2] [CALL.4] notifies a %s agent of %i calls that time out, and as many that are cancelled',
  async (version, told) => {
    const one = await new OneConnection({ version }).ready()
    const late = one.call().id
    one.system.advance(TIMEOUT_MS)
    const cancelled = one.call()
    cancelled.cancel()
    cancelled.cancel()
    expect(one.outcomes).toEqual(['call_timeout', 'call_cancelled'])
    expect(one.socket.idsOf('tool_cancel')).toEqual(told === 1 ? [late, cancelled.id] : [])
  },
)

test('[CALL.4] ignores cancelling a call that has its answer', async () => {
  const one = await new OneConnection().ready()
  const sent = one.call()
  one.send({ ...RESULT, id: sent.id })
  sent.cancel()
  expect([one.outcomes.length, one.sent('tool_cancel')]).toEqual([1, []])
})

test('[CALL.1] logs the 1st, 2nd, 4th, 8th and so on of unexpected results', async () => {
  const one = await new OneConnection().ready()
  for (let time = 0; time < 9; time++) one.send({ ...RESULT, id: `x${time}` })
  const recorded = one
    .named('ws_unexpected_result')
    .map((event) => ('requestId' in event ? event.requestId : ''))
  expect(recorded).toEqual(['x0', 'x1', 'x3', 'x7'])
  expect(one.named('ws_unexpected_result')[0]).toMatchObject({ userId: 'ann', ip: '203.0.113.1' })
})

test('[SIZE.2] [CALL.9] fails a call at once for a too large or unreadable answer, each by its code', async () => {
  const one = await new OneConnection().ready()
  const ids = [one.call().id, one.call().id]
  one.send(`{"type":"tool_result","id":"${ids[0]}","success":true,"result":${'['.repeat(1_000)}}`)
  one.send(`{"type":"tool_result","id":"${ids[1]}","success":true,"result":"${'x'.repeat(1_048_576)}"}`)
  expect(one.outcomes).toEqual(['result_invalid', 'result_too_large'])
  one.send('{"type":"tool_result","success":true}')
  one.send('{')
  expect(one.outcomes).toHaveLength(2)
})

test.each<[string, (one: OneConnection) => void, string | undefined]>([
  ['the peer goes', (one) => one.connection.socketClosed(1006, ''), undefined],
  ['it is replaced', (one) => one.connection.replace(), '4509 connection_replaced'],
  ['it is revoked', (one) => one.connection.revoke(), '4510 login_revoked'],
  ['it is drained', (one) => one.connection.drain(), '1001 shutting_down'],
  ['its key was copied', (one) => one.connection.revoke('device_key_copied'), '4510 device_key_copied'],
])(
  '[CALL.3] [STATE.3] [STATE.4] when %s, its calls fail, it ends once, and ignores everything after',
  async (_what, end, closedWith) => {
    const one = await new OneConnection().ready()
    const { id } = one.call()
    one.send({ type: 'tool_execute', id: 'own', serverName: 's', toolName: 't', args: {} })
    one.call()
    end(one)
    expect(one.outcomes).toEqual(['outcome_unknown', 'outcome_unknown'])
    expect(one.happened).toEqual(['verified', 'ended', 'cancelled 1'])
    expect(one.socket.closedWith).toBe(closedWith)
    const sent = one.socket.sent.length
    end(one)
    one.send({ ...RESULT, id })
    one.send({ type: 'ping' })
    one.connection.lockOut()
    one.system.advance(86_400_000)
    expect([one.socket.sent.length, one.happened.length, one.system.armed]).toEqual([sent, 3, 0])
    expect(one.outcomes).toHaveLength(2)
  },
)

test('[STATE.4] does not report the end of a connection that was never verified', () => {
  const one = new OneConnection()
  one.connection.socketClosed(1006, 'bye')
  expect(one.happened).toEqual([])
  expect(one.events).toContainEqual({
    event: 'ws_connection_closed',
    code: 1006,
    reason: 'bye',
    userId: 'ann',
    ip: '203.0.113.1',
  })
  expect(one.system.armed).toBe(0)
})

test('[CHAL.3] [CHAL.6] reports each wrong answer, and closes an open challenge at a lock', () => {
  const one = new OneConnection({ challengeAttempts: 2 })
  one.send({ type: 'challenge_response', response: 'no' })
  expect([one.happened, one.socket.closedWith]).toEqual([['challenge failed'], undefined])
  one.send({ type: 'challenge_response', response: 'no' })
  expect([one.happened.length, one.socket.closedWith]).toEqual([2, '1008 challenge_failed'])
  const locked = new OneConnection()
  locked.connection.lockOut()
  expect(locked.socket.closedWith).toBe('1008 challenge_locked')
})

test('[CHAL.4] [STATE.1] closes the connection at the deadlines of challenge and token', async () => {
  const silent = new OneConnection()
  silent.system.advance(30_000)
  expect(silent.socket.closedWith).toBe('4408 challenge_timeout')
  const ended = await new OneConnection({ lifetimeMs: 60_000 }).ready()
  ended.system.advance(59_999)
  expect(ended.socket.closedWith).toBeUndefined()
  ended.system.advance(1)
  expect(ended.socket.closedWith).toBe('4401 token_expired')
})

test('[CALL.8] sends a socket the outcome of its own call, and none once it has ended', async () => {
  const one = await new OneConnection().ready()
  for (const id of ['a', 'b'])
    one.send({ type: 'tool_execute', id, serverName: 's', toolName: 't', args: { x: 1 } })
  expect(one.executed.map(({ call }) => String(call.rawArgs))).toEqual(['{"x":1}', '{"x":1}'])
  one.executed[0]?.settle({ kind: 'result', result: Buffer.from('1') })
  expect(one.socket.answers).toEqual(['a 1'])
  one.connection.revoke()
  one.executed[1]?.settle({ kind: 'result', result: Buffer.from('2') })
  expect(one.socket.answers).toEqual(['a 1'])
})

test('[CALL.8] passes on a socket’s call above its limit with the reason to refuse it', async () => {
  const one = await new OneConnection().ready()
  for (let n = 0; n <= MAX_PENDING; n++)
    one.send({ type: 'tool_execute', id: `own${n}`, serverName: 's', toolName: 't', args: {} })
  // The one too many is counted as well, before it is refused.
  expect(one.executed.map(({ obstacle }) => obstacle)).toEqual([
    ...Array(MAX_PENDING).fill(undefined),
    'too_many_calls',
  ])
})

test('[WS.6] closes with 1011 on a fault after a look-up, and logs it', async () => {
  const one = new OneConnection({ withDevice: true })
  if (one.proofs !== undefined)
    one.proofs.sign = () => {
      throw new Error('a fault')
    }
  one.prove()
  await settled()
  await settled()
  expect(one.socket.closedWith).toBe('1011 internal_error')
  expect(one.named('ws_error')).toMatchObject([{ error: 'internal_error', userId: 'ann' }])
})
