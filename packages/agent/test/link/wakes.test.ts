import { expect, test } from 'vitest'
import { Wakes } from '../../src/link/wakes.ts'
import { FakeSystem } from '../support/fake-system.ts'

function setUp() {
  const system = new FakeSystem()
  const wakes = new Wakes(system)
  const next = (inMs: number) => {
    const seen: { reasons?: string[] } = {}
    void wakes.next(system.monotonicMs() + inMs).then((reasons) => {
      seen.reasons = [...reasons]
    })
    return seen
  }
  return { system, wakes, next }
}

test('[LINK.26] ends a wait when due, however long it is, repeatedly', async () => {
  const { system, next } = setUp()
  for (const waitMs of [1, 4_999, 5_000, 5_001, 60_000]) {
    const seen = next(waitMs)
    await system.advance(waitMs - 1)
    expect(seen.reasons).toBeUndefined()
    await system.advance(1)
    expect(seen.reasons).toEqual(['due'])
  }
  const past = next(-1)
  await system.advance(0)
  expect(past.reasons).toEqual(['due'])
})

test('[LINK.26] ends a wait at once for a reason, which it reports once or keeps for the next wait', async () => {
  const { system, wakes, next } = setUp()
  const first = next(60_000)
  wakes.wake('token')
  wakes.wake('catalog')
  wakes.wake('token')
  await system.advance(0)
  expect(first.reasons).toEqual(['token', 'catalog'])
  wakes.wake('stop')
  const second = next(60_000)
  await system.advance(0)
  expect(second.reasons).toEqual(['stop'])
  const third = next(100)
  await system.advance(100)
  expect(third.reasons).toEqual(['due'])
})

test('[LINK.23] treats a timer over ten seconds late as a sleep, and one exactly ten seconds late not', async () => {
  for (const [lateMs, reasons] of [
    [10_000, ['due']],
    [10_001, ['slept', 'due']],
  ] as const) {
    const { system, next } = setUp()
    const seen = next(1_000)
    await system.sleep(1_000 + lateMs)
    expect(seen.reasons).toEqual(reasons)
  }
})

test('[LINK.23] treats a wall clock over ten seconds ahead as a sleep, also before the wait is due', async () => {
  for (const [byMs, slept] of [
    [10_000, false],
    [10_001, true],
    [-60_000, false],
  ] as const) {
    const { system, next } = setUp()
    const seen = next(60_000)
    await system.advance(2_000)
    system.stepWall(byMs)
    await system.advance(3_000)
    expect(seen.reasons).toEqual(slept ? ['slept'] : undefined)
  }
})

test('[LINK.26] ends a wait at once for a reason that comes after the timer of an earlier wait was due', async () => {
  const { system, wakes, next } = setUp()
  next(60_000)
  await system.advance(1_000)
  wakes.wake('token')
  await system.advance(0)
  const second = next(60_000)
  await system.advance(4_500)
  wakes.wake('catalog')
  await system.advance(0)
  expect(second.reasons).toEqual(['catalog'])
})
