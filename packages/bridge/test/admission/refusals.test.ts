import type { ErrorCode } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { AddressGuard } from '../../src/admission/address-guard.ts'
import { DurableBlocks } from '../../src/admission/durable-blocks.ts'
import { Refusals } from '../../src/admission/refusals.ts'
import { callbackLog } from '../../src/memory.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

function refusalsInto(events: SecurityEvent[], system = new FakeSystem()): Refusals {
  const log = callbackLog((event) => events.push(event))
  const blocks = new DurableBlocks(undefined, system, () => {})
  return new Refusals(new AddressGuard(blocks, log, system), log, system)
}

test.each<ErrorCode>([
  'token_missing',
  'token_ambiguous',
  'token_in_url',
  'token_invalid',
  'token_expired',
  'user_unknown',
  'user_suspended',
  'dpop_proof_invalid',
  'login_revoked',
])('[SAMPLE.1] logs %s as a failed authentication', (code) => {
  const events: SecurityEvent[] = []
  const refusals = refusalsInto(events)
  refusals.record('caller', code, { ip: '203.0.113.1', key: '203.0.113.1', isProxy: false }, '/x')
  expect(events).toMatchObject([{ event: 'mcp_authentication_failed', reason: code }])
})

test('[SAMPLE.1] logs twenty refusals of one address and reason a minute, then the number suppressed', () => {
  const events: SecurityEvent[] = []
  const system = new FakeSystem()
  const refusals = refusalsInto(events, system)
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

test('[ADDR.7] [SAMPLE.1] marks and samples counted refusals separately, so that others cannot hide them', () => {
  const events: SecurityEvent[] = []
  const refusals = refusalsInto(events)
  const here = { ip: '203.0.113.1', key: '203.0.113.1', isProxy: false }
  for (let time = 0; time < 50; time++) refusals.record('caller', 'token_invalid', here, '/x')
  refusals.record('caller', 'token_invalid', here, '/x', true)
  expect(events).toHaveLength(21)
  expect(events[0]).not.toHaveProperty('counted', true)
  expect(events.at(-1)).toMatchObject({ event: 'mcp_authentication_failed', counted: true })
})

test('[SAMPLE.1] samples each user, address and door separately, and reports suppressed downgrades', () => {
  const events: SecurityEvent[] = []
  const system = new FakeSystem()
  const refusals = refusalsInto(events, system)
  const here = { ip: '203.0.113.1', key: '203.0.113.1', isProxy: false }
  const there = { ...here, ip: '203.0.113.2', key: '203.0.113.2' }
  for (let time = 0; time < 25; time++) refusals.recordDowngrade('ann', here, 'v1')
  refusals.recordDowngrade('bob', here, 'v2')
  refusals.recordDowngrade('ann', there, 'v1')
  system.advance(60_000)
  refusals.recordDowngrade('ann', here, 'v1')
  const downgrade = { event: 'proof_downgrade_rejected', userId: 'ann', ip: here.ip, version: 'v1' }
  expect(events).toEqual([
    ...Array(20).fill(downgrade),
    { ...downgrade, userId: 'bob', version: 'v2' },
    { ...downgrade, ip: there.ip },
    { ...downgrade, suppressed: 5 },
  ])
  events.length = 0
  for (let time = 0; time < 20; time++) refusals.record('page', 'token_invalid', here, '/x')
  refusals.record('page', 'token_invalid', there, '/x')
  refusals.record('page', 'origin_forbidden', here, '/x')
  refusals.record('caller', 'origin_forbidden', here, '/x')
  refusals.record('agent', 'origin_forbidden', here, '/x')
  expect(events.slice(19).map(({ event }) => event)).toEqual([
    'login_failed',
    'login_failed',
    'page_request_refused',
    'mcp_request_refused',
    'ws_connection_refused',
  ])
})
