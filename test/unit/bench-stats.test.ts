import { describe, expect, it } from 'vitest'
import { goalOf, judge } from '../../bench/goals.ts'
import { alignedTable, median, medianInterval, quantile, reachFromOne } from '../../bench/stats.ts'

describe('the benchmark’s arithmetic', () => {
  it('[BENCH.1] takes the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('[BENCH.1] interpolates quantiles without changing its input', () => {
    const values = [40, 10, 30, 20]
    expect(quantile(values, 0)).toBe(10)
    expect(quantile(values, 1)).toBe(40)
    expect(quantile(values, 0.99)).toBeCloseTo(39.7)
    expect(values).toEqual([40, 10, 30, 20])
  })

  it('[BENCH.1] returns a repeatable interval that holds the median and narrows with more values', () => {
    const values = (count: number) => Array.from({ length: count }, (_, index) => 1 + Math.sin(index) / 10)
    const few = medianInterval(values(10))
    const many = medianInterval(values(200))
    expect(few.low).toBeLessThanOrEqual(median(values(10)))
    expect(few.high).toBeGreaterThanOrEqual(median(values(10)))
    expect(many.high - many.low).toBeLessThan(few.high - few.low)
    expect(medianInterval(values(10))).toEqual(few)
  })

  it('[BENCH.1] returns a point for equal values', () => {
    expect(medianInterval([2, 2, 2])).toEqual({ low: 2, high: 2 })
  })

  it('[BENCH.2] states the error of a run as the farther end of the A/A interval', () => {
    expect(reachFromOne({ low: 0.9, high: 1.05 })).toBeCloseTo(0.1)
    expect(reachFromOne({ low: 1.02, high: 1.3 })).toBeCloseTo(0.3)
  })

  it('[BENCH.3] aligns the columns of its table', () => {
    const rows = [
      ['size', 'ratio', ''],
      ['200B', '1.05', 'aim met'],
      ['64KB', '10.00'],
    ]
    expect(alignedTable(rows, 1)).toBe(
      ['size  ratio', '----  -----  -------', '200B   1.05  aim met', '64KB  10.00'].join('\n'),
    )
  })
  it('[BENCH.4] judges a ratio against its goal, whichever way is better', () => {
    const lower = { better: 'lower', must: 1.6, aim: 1.3 } as const
    expect([1.3, 1.31, 1.6, 1.61].map((ratio) => judge(ratio, lower))).toEqual([
      'aim met',
      'must met',
      'must met',
      'MISSED',
    ])
    const higher = { better: 'higher', must: 0.75, aim: 0.9 } as const
    expect([0.9, 0.89, 0.75, 0.74].map((ratio) => judge(ratio, higher))).toEqual([
      'aim met',
      'must met',
      'must met',
      'MISSED',
    ])
    expect(judge(Number.NaN, lower)).toBe('MISSED')
  })

  it('[BENCH.4] has goals for CPU per call of 200 B at 32 concurrent calls, and for the latency of each size at one', () => {
    expect(goalOf('cpuMicros', { row: '200B', concurrency: 32 })).toMatchObject({ must: 1.8, aim: 1.4 })
    expect(goalOf('cpuMicros', { row: '64KB', concurrency: 32 })).toBeUndefined()
    for (const row of ['64KB', '900KB'] as const)
      expect(goalOf('p50Ms', { row, concurrency: 1 })).toMatchObject({ must: 1.5, aim: 1.2 })
    expect(goalOf('p50Ms', { row: '64KB', concurrency: 32 })).toBeUndefined()
    expect(goalOf('callsPerSecond', { row: '10MiB', concurrency: 4 })).toMatchObject({
      better: 'higher',
      must: 0.5,
    })
    expect(goalOf('cpuMicros', { row: 'progress', concurrency: 32 })).toMatchObject({ must: 2, aim: 1.4 })
    expect(goalOf('callsPerSecond', { row: '900KB', concurrency: 1 })).toBeUndefined()
  })
})
