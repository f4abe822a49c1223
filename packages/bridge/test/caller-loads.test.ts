import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { deny } from '../src/gates/verdict.ts'
import { callbackLog } from '../src/memory.ts'
import { CallerLoads } from '../src/northbound/caller-loads.ts'
import type { SecurityEvent } from '../src/security-log/events.ts'

test('[SAMPLE.1] logs twenty refusals of a user and reason a minute, then the number suppressed', () => {
  const system = new FakeSystem()
  const events: SecurityEvent[] = []
  const loads = new CallerLoads(
    callbackLog((event) => events.push(event)),
    system,
  )
  const ann = { userId: 'ann', ip: '203.0.113.1' }
  for (let time = 0; time < 25; time++) loads.refused(ann, deny('too_many_requests'))
  loads.refused({ ...ann, userId: 'bob' }, deny('too_many_requests'))
  loads.refused(ann, deny('rate_limit_exceeded'))
  system.advance(60_000)
  loads.refused(ann, deny('too_many_requests'))
  const line = { event: 'mcp_request_refused', ...ann, reason: 'too_many_requests' }
  expect(events).toEqual([
    ...Array(20).fill(line),
    { ...line, userId: 'bob' },
    { ...line, reason: 'rate_limit_exceeded' },
    { ...line, suppressed: 5 },
  ])
})
