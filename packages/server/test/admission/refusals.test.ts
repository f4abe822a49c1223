import { type ErrorCode, isErrorCode } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { callbackLog } from '../../src/adapters/memory/security-log.ts'
import { isFailure, Refusals } from '../../src/admission/refusals.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

const GUESSES: readonly ErrorCode[] = ['token_ambiguous', 'token_invalid', 'user_unknown', 'user_suspended']

test.each(GUESSES.filter(isErrorCode))('[ADDR.5] %s counts as a failure at both doors', (code) => {
  expect([isFailure('agent', code), isFailure('caller', code)]).toEqual([true, true])
})

test.each<ErrorCode>(['token_missing', 'token_in_url'])(
  '[ADDR.5] %s counts at the door of agents only',
  (code) => expect([isFailure('agent', code), isFailure('caller', code)]).toEqual([true, false]),
)

test('[ADDR.5] an expired token counts at neither door', () => {
  expect([isFailure('agent', 'token_expired'), isFailure('caller', 'token_expired')]).toEqual([false, false])
})

test.each<ErrorCode>([
  'address_blocked',
  'origin_forbidden',
  'transport_insecure',
  'too_many_connections',
  'scope_insufficient',
])('[ADDR.5] %s is no failed login and counts at neither door', (code) => {
  expect([isFailure('agent', code), isFailure('caller', code)]).toEqual([false, false])
})

test('[SAMPLE.1] refusals of one address and reason are twenty lines a minute; the next says how many were not', () => {
  const events: SecurityEvent[] = []
  const system = new FakeSystem()
  const refusals = new Refusals(
    callbackLog((event) => events.push(event)),
    system,
  )
  const here = { ip: '203.0.113.1', key: '203.0.113.1', isProxy: false }
  for (let time = 0; time < 50; time++) refusals.record('agent', 'token_invalid', here, '/x')
  refusals.record('caller', 'token_missing', here, '/x')
  refusals.record('agent', 'transport_insecure', here, '/x')
  system.advance(60_000)
  refusals.record('agent', 'token_invalid', here, '/x')
  const failed = { event: 'ws_authentication_failed', ip: '203.0.113.1', reason: 'token_invalid' }
  expect(events).toEqual([
    ...Array(20).fill(failed),
    { event: 'mcp_authentication_failed', ip: '203.0.113.1', reason: 'token_missing' },
    { event: 'ws_insecure_connection_rejected', ip: '203.0.113.1', url: '/x' },
    { ...failed, suppressed: 30 },
  ])
})
