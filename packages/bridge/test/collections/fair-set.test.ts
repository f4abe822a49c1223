import { expect, test } from 'vitest'
import { FairSet } from '../../src/collections/fair-set.ts'

test('[SESS.7] drops the oldest value of the user with most, and none of the others', () => {
  const set = new FairSet(4)
  for (const value of ['a1', 'a2']) expect(set.add('ann', value)).toBeUndefined()
  for (const value of ['e1', 'e2']) set.add('eve', value)
  expect(['e3', 'e4', 'e5'].map((value) => set.add('eve', value))).toEqual(['e1', 'e2', 'e3'])
  expect(
    ['a1', 'a2', 'e1', 'e3', 'e4'].map((value) => set.has(value[0] === 'a' ? 'ann' : 'eve', value)),
  ).toEqual([...[true, true], ...[false, false, true]])
})

test('[SESS.7] counts a value once, and none that was deleted', () => {
  const set = new FairSet(2)
  for (const value of ['1', '2', '2']) expect(set.add('ann', value)).toBeUndefined()
  for (const value of ['2', '2', '3']) set.delete('ann', value)
  set.delete('eve', '1')
  expect(set.add('eve', '1')).toBeUndefined()
  expect(set.has('ann', '1')).toBe(true)
  expect(set.add('eve', '2')).toBe('1')
  expect([set.has('ann', '1'), set.has('eve', '1')]).toEqual([true, false])
})
