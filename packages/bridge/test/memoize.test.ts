import { expect, test } from 'vitest'
import { Memo, memoize } from '../src/memoize.ts'

const LONGEST = 'a'.repeat(256)

test('[LOAD.7] computes a short text once, and a longer one each time', () => {
  const computed: string[] = []
  const length = memoize((text) => {
    computed.push(text)
    return text.length
  })
  expect([length('ab'), length('ab'), length('abc')]).toEqual([2, 2, 3])
  expect(computed).toEqual(['ab', 'abc'])
  expect([length(LONGEST), length(LONGEST)]).toEqual([256, 256])
  expect([length(`${LONGEST}a`), length(`${LONGEST}a`)]).toEqual([257, 257])
  expect(computed.slice(2)).toEqual([LONGEST, `${LONGEST}a`, `${LONGEST}a`])
})

test('[LOAD.7] computes a text without result again', () => {
  let times = 0
  const nothing = memoize(() => {
    times++
    return undefined
  })
  expect([nothing('a'), nothing('a'), times]).toEqual([undefined, undefined, 2])
})

test('[LOAD.7] drops no result for texts without one', () => {
  let times = 0
  const find = memoize((text) => {
    times++
    return text === 'known' ? 1 : undefined
  })
  find('known')
  for (let n = 0; n < 4_096; n++) find(String(n))
  expect([find('known'), times]).toEqual([1, 4_097])
})

test('[LOAD.7] keeps at most as many results as allowed, and neither keeps nor finds a long text', () => {
  const memo = new Memo<number>(2)
  memo.keep('a', 1)
  memo.keep('b', 2)
  expect([memo.get('a'), memo.get('b')]).toEqual([1, 2])
  memo.keep('c', 3)
  expect([memo.get('a'), memo.get('b'), memo.get('c')]).toEqual([undefined, undefined, 3])
  memo.keep(`${LONGEST}a`, 4)
  memo.keep(LONGEST, 5)
  expect([memo.get(`${LONGEST}a`), memo.get('c'), memo.get(LONGEST)]).toEqual([undefined, 3, 5])
})
