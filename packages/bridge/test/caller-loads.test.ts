import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { MAX_ALL_LARGE_BYTES, MAX_LARGE_BYTES } from '../src/limiters/user-load.ts'
import { CallerLoads } from '../src/northbound/caller-loads.ts'
import type { SecurityEvent } from '../src/security-log/events.ts'

function setUp() {
  const system = new FakeSystem()
  const events: SecurityEvent[] = []
  const log = {
    logSecurityEvent: (event: SecurityEvent) => void events.push(event),
    afterWritten: () => {},
    writable: true,
  }
  const loads = new CallerLoads(log, system)
  const caller = (userId: string) => ({ userId, ip: '203.0.113.1' })
  return {
    system,
    events,
    hold: (userId: string, bytes: number) =>
      loads.holdLarge(caller(userId), loads.of(caller(userId)), bytes)?.code,
    free: (userId: string, bytes: number) => loads.freeLarge(loads.of(caller(userId)), bytes),
  }
}

test('[BIG.11] limits the large bodies of one user, and of all', () => {
  const { hold, free, events } = setUp()
  expect(hold('u0', MAX_LARGE_BYTES)).toBeUndefined()
  expect(hold('u0', 1)).toBe('too_many_requests')
  const users = MAX_ALL_LARGE_BYTES / MAX_LARGE_BYTES
  for (let n = 1; n < users; n++) expect(hold(`u${n}`, MAX_LARGE_BYTES)).toBeUndefined()
  expect(hold('other', 1)).toBe('too_many_requests')
  free('u0', MAX_LARGE_BYTES)
  expect([hold('other', 1), hold('u0', MAX_LARGE_BYTES - 1)]).toEqual([undefined, undefined])
  expect(events.map((event) => 'reason' in event && event.reason)).toContain('too_many_requests')
})

test('[BIG.11] limits the large bodies of one user in time', () => {
  const { system, hold, free } = setUp()
  for (let n = 0; n < 4; n++) {
    expect(hold('u', MAX_LARGE_BYTES)).toBeUndefined()
    free('u', MAX_LARGE_BYTES)
  }
  expect(hold('u', MAX_LARGE_BYTES)).toBe('rate_limit_exceeded')
  system.advance(15_000)
  expect(hold('u', MAX_LARGE_BYTES)).toBeUndefined()
})
