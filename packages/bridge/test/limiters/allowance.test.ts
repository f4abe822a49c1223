import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Allowance, MAX_DEBT_MS } from '../../src/limiters/allowance.ts'

const LIMIT = { units: 10, refillMs: 1_000, bytesPerUnit: 1_024 }

test('[LOAD.4] spends an allowance at once, refills it evenly, and never above its size', () => {
  const allowance = new Allowance(LIMIT)
  expect(allowance.isFull(0)).toBe(true)
  for (let unit = 0; unit < 10; unit++) expect(allowance.take(1, 0)).toBe(0)
  expect(allowance.take(1, 0)).toBe(100)
  expect(allowance.take(3, 0)).toBe(300)
  expect(allowance.take(1, 100)).toBe(0)
  expect(allowance.take(1, 100)).toBe(100)
  expect([allowance.isFull(1_099), allowance.isFull(1_100)]).toEqual([false, true])
  expect(allowance.take(10, 60_000)).toBe(0)
  expect(allowance.leftMs(1, 60_000)).toBe(100)
})

test('[LOAD.4] takes the whole allowance for a cost above it', () => {
  const allowance = new Allowance(LIMIT)
  expect(allowance.take(25, 0)).toBe(0)
  expect(allowance.take(25, 0)).toBe(1_000)
})

test('[LOAD.6] lets charges exceed the allowance by at most five seconds’ worth', () => {
  const allowance = new Allowance(LIMIT)
  for (let count = 0; count < 10; count++) allowance.charge(1, 0)
  expect(allowance.leftMs(1, 0)).toBe(100)
  for (let count = 0; count < 1_000; count++) allowance.charge(10, 0)
  expect(allowance.leftMs(1, 0)).toBe(MAX_DEBT_MS + 100)
  expect(allowance.leftMs(1, MAX_DEBT_MS + 100)).toBe(0)
})

test('[LOAD.4] never gives more than its size and the refill in any period', () => {
  const steps = fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 4 })), { maxLength: 60 })
  fc.assert(
    fc.property(steps, (taken) => {
      const allowance = new Allowance(LIMIT)
      let nowMs = 0
      let given = 0
      for (const [afterMs, units] of taken) {
        nowMs += afterMs
        if (allowance.take(units, nowMs) === 0) given += units
      }
      expect(given).toBeLessThanOrEqual(LIMIT.units + (nowMs * LIMIT.units) / LIMIT.refillMs + 1e-6)
    }),
  )
})

test('[LOAD.4] [LOAD.6] charges a message one unit per started piece of that size', () => {
  const sizes = [0, 1, 1_024, 1_025, 10_240]
  expect(sizes.map((sizeBytes) => new Allowance(LIMIT).unitsOf(sizeBytes))).toEqual([1, 1, 1, 2, 10])
})
