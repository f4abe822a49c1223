import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { OneConnection } from '../support/one-connection.ts'

const WHO = { userId: 'ann', ip: '203.0.113.1' }

test('[MSG.1] [MSG.2] [MSG.3] [SIZE.1] answers each kind of bad message with its code, and logs its event', async () => {
  const one = await new OneConnection().ready()
  one.events.length = 0
  one.send('{')
  one.connection.receive(Buffer.from('x'), true)
  one.send({ type: 'strange' })
  one.send(' '.repeat(limits.messageBytes + 1))
  expect(one.sent('error').map(({ error, maxSize }) => [error, maxSize])).toEqual([
    ['message_invalid', undefined],
    ['message_not_text', undefined],
    ['message_type_unknown', undefined],
    ['message_too_large', limits.messageBytes],
  ])
  for (const { message } of one.sent('error')) expect(message).toMatch(/^[A-Z].*\S$/)
  expect(one.sent('error')[2]?.message).toMatch(/ strange$/)
  expect(one.events).toEqual([
    { event: 'ws_message_parse_error', error: expect.stringMatching(/^message_invalid \S/), ...WHO },
    { event: 'ws_message_parse_error', error: 'message_not_text', ...WHO },
    { event: 'ws_unknown_message_type', messageType: 'strange', ...WHO },
    {
      event: 'ws_message_too_large',
      size: limits.messageBytes + 1,
      maxSize: limits.messageBytes,
      ...WHO,
    },
  ])
})

test('[MSG.4] answers ten bad messages in any minute', async () => {
  const one = await new OneConnection().ready()
  one.system.advance(10 * limits.strikeWindowMs)
  for (let round = 0; round < 3; round++) {
    for (let time = 0; time < limits.strikes; time++) one.send('{')
    expect(one.socket.closedWith).toBeUndefined()
    one.system.advance(limits.strikeWindowMs)
  }
  for (let time = 0; time < limits.strikes; time++) one.send('{')
  one.system.advance(limits.strikeWindowMs - 1)
  one.send('{')
  expect(one.socket.closedWith).toBe('4400 message_invalid')
})

test('[MSG.4] answers any number of pings, and neither answers nor counts pongs', async () => {
  const one = await new OneConnection().ready()
  for (let time = 0; time < 50; time++) {
    one.send({ type: 'ping' })
    one.send({ type: 'pong' })
  }
  expect([one.sent('pong').length, one.socket.sent.length, one.socket.closedWith]).toEqual([
    50,
    52,
    undefined,
  ])
})

test('[CHAL.5] refuses a peer’s requests before its answer, and logs an attempted call', () => {
  const one = new OneConnection()
  one.send({ type: 'ping' })
  one.send({ type: 'tool_execute', id: 'i', serverName: 's', toolName: 'steal', args: {} })
  expect(one.sent('error').map(({ error }) => error)).toEqual(['challenge_required', 'challenge_required'])
  expect(one.sent('error')[0]?.message).toMatch(/[.!]$/)
  expect(one.events).toEqual([{ event: 'ws_unauthorized_tool_execution_attempt', toolName: 'steal', ...WHO }])
})

test('[CHAL.3] [CHAL.4] logs how a challenge ended', async () => {
  const answered = await new OneConnection().ready()
  expect(answered.events).toEqual([{ event: 'ws_challenge_verified', ...WHO }])
  const wrong = new OneConnection({ challengeAttempts: 1 })
  wrong.send({ type: 'challenge_response', response: 'no' })
  const failed = { event: 'ws_challenge_verification_failed', ...WHO }
  expect(wrong.events).toEqual([{ ...failed, reason: 'challenge_failed' }])
  const silent = new OneConnection()
  silent.system.advance(limits.challengeMs)
  expect(silent.events).toEqual([{ ...failed, reason: 'challenge_timeout' }])
})

test('[STATE.1] logs the expiry of a token before the answer, and not one after it', async () => {
  const early = new OneConnection({ lifetimeMs: 1_000 })
  early.system.advance(1_000)
  expect([early.socket.closedWith, early.events]).toEqual([
    '4401 token_expired',
    [{ event: 'ws_challenge_failed_invalid_token', ...WHO }],
  ])
  const ready = await new OneConnection({ lifetimeMs: 1_000 }).ready()
  ready.system.advance(1_000)
  expect(ready.socket.closedWith).toBe('4401 token_expired')
  expect(ready.named('ws_challenge_failed_invalid_token')).toEqual([])
})

test('[SIZE.3] closes and logs an unverified peer that sends one byte too many', () => {
  const fill = (bytes: number) => `{"type":"ping"}${' '.repeat(bytes - 15)}`
  const one = new OneConnection()
  one.send(fill(limits.unverifiedBytes))
  expect(one.socket.closedWith).toBeUndefined()
  one.send(fill(15))
  expect(one.socket.closedWith).toBe('1008 message_too_large')
  expect(one.named('ws_message_too_large')).toHaveLength(1)
})

test('[ROUTE.3] logs a replaced connection', async () => {
  const one = await new OneConnection().ready()
  one.connection.replace()
  expect(one.named('ws_connection_replaced')).toEqual([{ event: 'ws_connection_replaced', ...WHO }])
})

test('[CALL.2] names the call that timed out', async () => {
  const one = await new OneConnection().ready()
  const messages: string[] = []
  const call = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
  const { id } = one.connection.call(call, (outcome) => {
    if (outcome.kind === 'failed') messages.push(outcome.error.message)
  })
  one.system.advance(10_000)
  expect(messages[0]?.endsWith(`Call ${id}.`)).toBe(true)
})
