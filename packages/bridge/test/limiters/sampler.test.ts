import { expect, test } from 'vitest'
import { Sampler } from '../../src/limiters/sampler.ts'

test('[SAMPLE.1] passes twenty lines of a key a minute, then reports the number suppressed', () => {
  const sampler = new Sampler()
  for (let line = 0; line < 20; line++) expect(sampler.take('a', line)).toEqual({ suppressed: undefined })
  for (let line = 0; line < 7; line++) expect(sampler.take('a', 59_999)).toBeUndefined()
  expect(sampler.take('b', 59_999)).toEqual({ suppressed: undefined })
  expect(sampler.take('a', 60_000)).toEqual({ suppressed: 7 })
  expect(sampler.take('a', 60_001)).toEqual({ suppressed: undefined })
})

test('[SAMPLE.1] bounds its memory in a flood of keys: counts may be lost, lines stay suppressed', () => {
  const sampler = new Sampler()
  const flood = (key: string): void => {
    for (let line = 0; line < 21; line++) sampler.take(key, 0)
  }
  for (let key = 0; key < 10_000; key++) flood(`key ${key}`)
  expect(sampler.take('key 1', 60_000)).toEqual({ suppressed: 1 })
  flood('key 10000')
  expect(sampler.take('key 9999', 0)).toBeUndefined()
  expect(sampler.take('key 9999', 60_000)).toEqual({ suppressed: 2 })
  expect(sampler.take('key 2', 60_000)).toEqual({ suppressed: undefined })
})
