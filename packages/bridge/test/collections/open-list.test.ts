import { expect, test } from 'vitest'
import { OpenList } from '../../src/collections/open-list.ts'

test('[REVOKE.1] removes each item once, wherever it is, and ignores one that is not there', () => {
  const list = new OpenList<string>()
  for (const item of ['a', 'b', 'c', 'd']) list.add(item)
  list.remove('b')
  expect([list.size, list.items.toSorted()]).toEqual([3, ['a', 'c', 'd']])
  list.remove('b')
  list.remove('none')
  expect(list.items.toSorted()).toEqual(['a', 'c', 'd'])
  for (const item of ['d', 'a', 'c']) list.remove(item)
  list.remove('a')
  expect([list.size, list.items]).toEqual([0, []])
})

test('[REVOKE.1] gives everything in it once', () => {
  const list = new OpenList<number>()
  list.add(1)
  list.add(2)
  expect(list.clear()).toEqual([1, 2])
  expect([list.clear(), list.size]).toEqual([[], 0])
})
