import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { DeadlineQueue } from '../../src/collections/deadline-queue.ts'
import { Deadlines } from '../../src/connection/deadlines.ts'

const DAY_MS = 86_400_000

class Drawing extends FakeSystem {
  draw = 0
  override randomBytes(countBytes: number): Buffer {
    const bytes = Buffer.alloc(countBytes)
    bytes.writeUInt32BE(this.draw, 0)
    return bytes
  }
}

function setUp(lifetimeMs = DAY_MS, offsetMs = 0) {
  const system = new Drawing()
  system.advance(offsetMs)
  const due: string[] = []
  const startMs = system.monotonicMs()
  const queue = new DeadlineQueue(system)
  const deadlines = new Deadlines(system, queue, system.nowMs() + lifetimeMs, {
    onDue: (what) => due.push(`${what} ${system.monotonicMs() - startMs}`),
  })
  return { system, deadlines, due }
}

test('[CHAL.4] expires the challenge after 30 seconds, unless it is answered', () => {
  const { system, deadlines, due } = setUp()
  system.advance(limits.challengeMs - 1)
  expect(due).toEqual([])
  system.advance(1)
  expect(due).toEqual([`challenge-timeout ${limits.challengeMs}`])
  deadlines.stop()
  expect(system.armed).toBe(0)
  const answered = setUp()
  answered.deadlines.answered()
  answered.system.advance(DAY_MS - 1)
  expect(answered.due).toEqual([])
  answered.system.advance(1)
  expect(answered.due).toEqual([`token-expired ${DAY_MS}`])
})

test('[STATE.1] reports the challenge when the token expires at the same moment, and the token a millisecond earlier', () => {
  const same = setUp(limits.challengeMs)
  same.system.advance(limits.challengeMs)
  expect(same.due[0]).toBe(`challenge-timeout ${limits.challengeMs}`)
  const before = setUp(limits.challengeMs - 1)
  before.system.advance(limits.challengeMs)
  expect(before.due[0]).toBe(`token-expired ${limits.challengeMs - 1}`)
})

test('[PROOF.10] renews a device’s proof after ten minutes at the latest, each time', () => {
  const { system, deadlines, due } = setUp()
  for (let time = 1; time <= 3; time++) {
    deadlines.proved()
    system.advance(limits.renewalMs - 1)
    expect(due).toHaveLength(time - 1)
    system.advance(1)
    expect(due.at(-1)).toBe(`renew ${time * limits.renewalMs}`)
  }
  expect(due).toHaveLength(3)
})

test('[PROOF.10] postpones the next renewal after an early proof, as with a fresh token', () => {
  const { system, deadlines, due } = setUp()
  deadlines.proved()
  system.advance(limits.renewalMs / 2)
  deadlines.challenged()
  deadlines.proved()
  system.advance(limits.renewalMs - 1)
  expect(due).toEqual([])
  system.advance(1)
  expect(due).toEqual([`renew ${1.5 * limits.renewalMs}`])
})

test('[PROOF.10] spreads renewals over the last minute, in steps of a second', () => {
  for (const [draw, earlierMs] of [
    [0, 0],
    [1, 1_000],
    [59, 59_000],
    [60, 0],
    [61, 1_000],
  ] as const) {
    const { system, deadlines, due } = setUp()
    system.draw = draw
    deadlines.proved()
    system.advance(limits.renewalMs)
    expect(due[0]).toBe(`renew ${limits.renewalMs - earlierMs}`)
  }
})

test('[PROOF.10] expires an unanswered renewal after 30 seconds, whatever challenges follow', () => {
  const { system, deadlines, due } = setUp()
  deadlines.proved()
  system.advance(limits.renewalMs)
  deadlines.challenged()
  system.advance(limits.challengeMs - 1)
  deadlines.challenged()
  system.advance(1)
  expect(due).toEqual([
    `renew ${limits.renewalMs}`,
    `challenge-timeout ${limits.renewalMs + limits.challengeMs}`,
  ])
})

test('[PROOF.11] gives a challenge long before the renewal its own 30 seconds', () => {
  const { system, deadlines, due } = setUp()
  deadlines.proved()
  system.advance(1_000)
  deadlines.challenged()
  system.advance(limits.challengeMs - 1)
  expect(due).toEqual([])
  system.advance(1)
  expect(due).toEqual([`challenge-timeout ${1_000 + limits.challengeMs}`])
})

test('[PROOF.10] retries a failed look-up after ten seconds, but not beyond the proof’s deadline', () => {
  const { system, deadlines, due } = setUp()
  deadlines.proved()
  system.advance(limits.renewalMs)
  for (let time = 0; time < 2; time++) {
    deadlines.retry()
    system.advance(9_999)
    expect(due).toHaveLength(time + 1)
    system.advance(1)
    expect(due).toHaveLength(time + 2)
  }
  deadlines.retry()
  system.advance(10_000)
  expect(due.at(-1)).toBe(`challenge-timeout ${limits.renewalMs + limits.challengeMs}`)
})

test('[PROOF.11] moves the end of the connection by a fresh token, to later and to earlier', () => {
  const { system, deadlines, due } = setUp(60_000)
  deadlines.answered()
  deadlines.setTokenEnd(system.nowMs() + 120_000)
  system.advance(119_999)
  expect(due).toEqual([])
  system.advance(1)
  expect(due).toEqual(['token-expired 120000'])
  const earlier = setUp(60_000)
  earlier.deadlines.answered()
  earlier.deadlines.setTokenEnd(earlier.system.nowMs() + 5_000)
  earlier.system.advance(5_000)
  expect(earlier.due).toEqual(['token-expired 5000'])
})

test('[STATE.1] keeps deadlines when the wall clock steps, and expires nothing a fraction of a millisecond early', () => {
  const { system, deadlines, due } = setUp(60_000)
  deadlines.answered()
  system.stepWallClock(3_600_000)
  system.advance(60_000)
  expect(due).toEqual(['token-expired 60000'])
  const fraction = setUp(DAY_MS, 0.25)
  fraction.system.advance(limits.challengeMs)
  expect(fraction.due).toEqual([])
  fraction.system.advance(0.75)
  expect(fraction.due[0]).toBe(`challenge-timeout ${limits.challengeMs + 0.75}`)
  const end = setUp(1_000, 0.25)
  end.deadlines.answered()
  end.system.advance(999.75)
  expect(end.due).toEqual(['token-expired 999.75'])
})

test('[STATE.4] has no deadline once stopped, whatever happens', () => {
  const { system, deadlines, due } = setUp()
  deadlines.stop()
  deadlines.proved()
  deadlines.challenged()
  deadlines.retry()
  deadlines.answered()
  deadlines.setTokenEnd(system.nowMs())
  system.advance(DAY_MS)
  expect([due, system.armed]).toEqual([[], 0])
})
