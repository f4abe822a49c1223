import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlidingWindow } from '../../src/limiters/sliding-window.ts'

const MINUTE_MS = 60_000

/** The rule as anyone would write it down, at any cost. */
class NaiveWindow {
  readonly #max: number
  readonly #windowMs: number
  #countedMs: number[] = []

  constructor(max: number, windowMs: number) {
    this.#max = max
    this.#windowMs = windowMs
  }

  take(nowMs: number): boolean {
    if (this.remaining(nowMs) === 0) return false
    this.#countedMs.push(nowMs)
    return true
  }

  remaining(nowMs: number): number {
    this.#countedMs = this.#countedMs.filter((atMs) => nowMs - atMs < this.#windowMs)
    return this.#max - this.#countedMs.length
  }
}

function take(window: SlidingWindow, times: number, nowMs: number, key = 'ann'): number {
  return Array.from({ length: times }, () => window.take(key, nowMs)).filter(Boolean).length
}

test('[RATE.1] matches a naive model at any times, and never allows over 100 in 60 seconds', () => {
  const gapMs = fc.oneof(
    fc.nat({ max: 1_200 }),
    fc.constantFrom(0, 1, MINUTE_MS - 1, MINUTE_MS, MINUTE_MS + 1),
    fc.double({ min: 0, max: 2_000, noNaN: true }),
  )
  fc.assert(
    fc.property(fc.array(gapMs, { minLength: 90, maxLength: 350, size: 'max' }), (gaps) => {
      const window = new SlidingWindow({ max: 100, windowMs: MINUTE_MS })
      const model = new NaiveWindow(100, MINUTE_MS)
      const countedMs: number[] = []
      let nowMs = 0
      for (const gap of gaps) {
        nowMs += gap
        expect(window.remaining('ann', nowMs)).toBe(model.remaining(nowMs))
        const counted = window.take('ann', nowMs)
        expect(counted).toBe(model.take(nowMs))
        if (counted) countedMs.push(nowMs)
      }
      countedMs.forEach((endMs, last) => {
        const first = countedMs[last - 100]
        if (first !== undefined) expect(endMs - first).toBeGreaterThanOrEqual(MINUTE_MS)
      })
    }),
    { numRuns: 150 },
  )
})

test.each([1, 2, 3, 7])(
  '[RATE.1] matches the naive model for any small limit, also with many keys: %i',
  (max) => {
    const step = fc.record({ key: fc.constantFrom('ann', 'bob', 'eve'), gapMs: fc.nat({ max: 60 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const window = new SlidingWindow({ max, windowMs: 100 })
        const models = new Map<string, NaiveWindow>()
        let nowMs = 0
        for (const { key, gapMs } of steps) {
          nowMs += gapMs
          const model = models.get(key) ?? new NaiveWindow(max, 100)
          models.set(key, model)
          expect(window.take(key, nowMs)).toBe(model.take(nowMs))
        }
      }),
    )
  },
)

test('[RATE.1] counts an event for exactly the window, to the millisecond', () => {
  const window = new SlidingWindow({ max: 2, windowMs: 1_000 })
  expect(take(window, 2, 500)).toBe(2)
  expect(window.remaining('ann', 1_499)).toBe(0)
  expect(window.take('ann', 1_499)).toBe(false)
  expect(window.remaining('ann', 1_500)).toBe(2)
  expect(window.take('ann', 1_500)).toBe(true)
})

test('[RATE.1] does not count refused events', () => {
  const window = new SlidingWindow({ max: 1, windowMs: 1_000 })
  expect(take(window, 50, 0)).toBe(1)
  expect(take(window, 50, 999)).toBe(0)
  expect(window.take('ann', 1_000)).toBe(true)
})

test('[RATE.1] allows nothing with a limit of zero', () => {
  const window = new SlidingWindow({ max: 0, windowMs: 1_000 })
  expect([window.take('ann', 0), window.take('ann', 5_000)]).toEqual([false, false])
  expect(window.remaining('ann', 0)).toBe(0)
  expect(window.windowMs).toBe(1_000)
})

test('[RATE.4] adds no key and changes no count when asked', () => {
  const window = new SlidingWindow({ max: 3, windowMs: 1_000 })
  for (let asked = 0; asked < 10; asked++) expect(window.remaining('ann', 0)).toBe(3)
  expect(window.size).toBe(0)
  window.take('ann', 0)
  for (let asked = 0; asked < 10; asked++) expect(window.remaining('ann', 0)).toBe(2)
})

test('[RATE.5] starts a forgotten key over, and no other', () => {
  const window = new SlidingWindow({ max: 1, windowMs: 1_000 })
  take(window, 1, 0, 'ann')
  take(window, 1, 0, 'bob')
  window.forget('ann')
  expect(window.take('ann', 0)).toBe(true)
  expect(window.take('bob', 0)).toBe(false)
})

test('[RATE.6] holds as many numbers for a key after a million events as at the limit', () => {
  const window = new SlidingWindow({ max: 5, windowMs: 1_000 })
  for (let event = 0; event < 1_000_000; event++) window.take('ann', event)
  const [[key, ages] = ['', []], ...others] = [...window.agesMs(999_500)]
  expect({ key, events: ages.length, others }).toEqual({ key: 'ann', events: 5, others: [] })
  expect(window.size).toBe(1)
})

test('[RATE.6] evicts idle keys for many new ones, and none in use', () => {
  const window = new SlidingWindow({ max: 2, windowMs: 1_600, maxKeys: 3 })
  window.take('tried', 0)
  window.take('tried', 1)
  for (let nowMs = 100; nowMs < 1_600; nowMs += 100) {
    window.take(`new ${nowMs}`, nowMs)
    // A refused attempt also counts as use of the key.
    expect(window.take('tried', nowMs)).toBe(false)
  }
  expect(window.size).toBe(3)
  expect([window.remaining('new 100', 1_599), window.remaining('new 1500', 1_599)]).toEqual([2, 1])
})

test('[RATE.6] updates the order of eviction with use, once in a sixteenth of the window', () => {
  for (const [usedAgainMs, kept] of [
    [99, false],
    [100, true],
  ] as const) {
    const startMs = 1_000_000
    const window = new SlidingWindow({ max: 9, windowMs: 1_600, maxKeys: 2 })
    window.take('a', startMs)
    window.take('b', startMs + 1)
    window.take('a', startMs + usedAgainMs)
    window.take('c', startMs + 101)
    expect([window.remaining('a', startMs + 101) < 9, window.size]).toEqual([kept, 2])
  }
})

test('[RATE.6] evicts only the longest idle key beyond the number of keys', () => {
  const window = new SlidingWindow({ max: 1, windowMs: 1_000, maxKeys: 3 })
  for (const key of ['a', 'b', 'c', 'd']) window.take(key, 0)
  expect(window.size).toBe(3)
  expect(['b', 'c', 'd'].map((key) => window.remaining(key, 0))).toEqual([0, 0, 0])
  expect(window.remaining('a', 0)).toBe(1)
})

test('[RATE.6] keeps 100,000 keys by default', () => {
  const window = new SlidingWindow({ max: 1, windowMs: 1_000 })
  for (let key = 0; key < 100_010; key++) window.take(String(key), 0)
  expect(window.size).toBe(100_000)
})

test('[RATE.6] forgets idle keys at the 1,024th check, and not those within their window', () => {
  const window = new SlidingWindow({ max: 5_000, windowMs: 1_000 })
  window.take('idle', 0)
  window.take('young', 1)
  take(window, 1_021, 999, 'busy')
  expect(window.size).toBe(3)
  window.take('busy', 1_000)
  expect(window.size).toBe(2)
  expect(window.remaining('young', 1_000)).toBe(4_999)
  take(window, 1_024, 1_000_000, 'busy')
  expect(window.size).toBe(1)
})

test('[RATE.2] leaves the same room at every moment when its export is counted elsewhere', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 40 }), { maxLength: 30, size: 'max' }),
      fc.nat({ max: 300 }),
      fc.nat({ max: 1_000_000 }),
      (gaps, laterMs, otherClockMs) => {
        const before = new SlidingWindow({ max: 5, windowMs: 100 })
        let nowMs = 0
        for (const gap of gaps) {
          nowMs += gap
          before.take('ann', nowMs)
        }
        const after = new SlidingWindow({ max: 5, windowMs: 100 })
        for (const [key, ages] of before.agesMs(nowMs)) after.restore(key, ages, otherClockMs)
        for (let aheadMs = 0; aheadMs <= laterMs; aheadMs += 7) {
          expect(after.remaining('ann', otherClockMs + aheadMs)).toBe(
            before.remaining('ann', nowMs + aheadMs),
          )
        }
      },
    ),
  )
})

test('[RATE.2] exports keys with events since a moment, and no expired events', () => {
  const window = new SlidingWindow({ max: 2, windowMs: 100 })
  window.take('gone', 0)
  window.take('old', 50)
  window.take('new', 40)
  window.take('new', 120)
  const told = (sinceMs?: number) => [...window.agesMs(120, sinceMs)]
  expect(told()).toEqual([
    ['old', [70]],
    ['new', [80, 0]],
  ])
  expect(told(120)).toEqual([['new', [80, 0]]])
  expect(told(120.5)).toEqual([])
  expect([...window.agesMs(150)]).toEqual([['new', [30]]])
})

test('[RATE.2] imports ages in any order, and takes future ones as now', () => {
  const window = new SlidingWindow({ max: 3, windowMs: 100 })
  window.restore('ann', [10, 90, -5_000], 1_000)
  expect([1_000, 1_010, 1_089, 1_090, 1_099, 1_100].map((atMs) => window.remaining('ann', atMs))).toEqual([
    0, 1, 1, 2, 2, 3,
  ])
  expect([window.take('ann', 1_010), window.take('ann', 1_010)]).toEqual([true, false])
})

test('[RATE.2] keeps the newest ages beyond a lowered limit', () => {
  const window = new SlidingWindow({ max: 2, windowMs: 100 })
  window.restore('ann', [90, 80, 10, 0], 1_000)
  expect(window.remaining('ann', 1_030)).toBe(0)
})

test('[LIMIT.1] reports the time until the next event, without counting', () => {
  const window = new SlidingWindow({ max: 2, windowMs: MINUTE_MS })
  expect(window.leftMs('ann', 0)).toBe(0)
  window.take('ann', 0)
  expect(window.leftMs('ann', 5_000)).toBe(0)
  window.take('ann', 10_000)
  expect([20_000, 20_000, 59_999, MINUTE_MS].map((nowMs) => window.leftMs('ann', nowMs))).toEqual([
    40_000, 40_000, 1, 0,
  ])
  expect(window.leftMs('bob', 20_000)).toBe(0)
})

test('[OAUTH.13] uncounts a returned event, and ignores one of an unknown key', () => {
  const window = new SlidingWindow({ max: 2, windowMs: MINUTE_MS })
  window.giveBack('ann')
  expect(window.remaining('ann', 0)).toBe(2)
  window.take('ann', 0)
  window.take('ann', 10)
  window.giveBack('ann')
  expect(window.remaining('ann', 10)).toBe(1)
  expect([window.take('ann', 20), window.take('ann', 30)]).toEqual([true, false])
  expect(window.take('ann', MINUTE_MS)).toBe(true)
})

test('[OAUTH.13] returns the newest event', () => {
  const window = new SlidingWindow({ max: 3, windowMs: MINUTE_MS })
  for (const atMs of [0, 10, 20]) window.take('ann', atMs)
  window.giveBack('ann')
  expect([...window.agesMs(30)]).toEqual([['ann', [30, 20]]])
})

test('[RATE.1] drops only the expired events of a full window', () => {
  const window = new SlidingWindow({ max: 3, windowMs: MINUTE_MS })
  for (const atMs of [10_000, 20_000, 30_000]) expect(window.take('ann', atMs)).toBe(true)
  expect(window.take('ann', 70_000)).toBe(true)
  expect(window.take('ann', 70_000)).toBe(false)
})

test('[LIMIT.1] measures the time until the next event from the oldest one', () => {
  const window = new SlidingWindow({ max: 1, windowMs: MINUTE_MS })
  expect(window.leftMs('ann', 20_000)).toBe(0)
  window.take('ann', 10_000)
  expect(window.leftMs('ann', 20_000)).toBe(50_000)
})
