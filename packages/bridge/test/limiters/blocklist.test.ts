import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Blocklist } from '../../src/limiters/blocklist.ts'
import { BLOCK_KINDS } from '../../src/ports.ts'

test('[BLOCK.2] keeps a block until its exact end, for its kind and key only', () => {
  const list = new Blocklist()
  expect(list.leftMs('calls', 'ann', 0)).toBe(0)
  list.add({ kind: 'calls', key: 'ann', untilMs: 1_000 })
  expect([0, 999, 1_000, 5_000].map((nowMs) => list.leftMs('calls', 'ann', nowMs))).toEqual([1_000, 1, 0, 0])
  expect(list.leftMs('calls', 'bob', 0)).toBe(0)
  expect(list.leftMs('address', 'ann', 0)).toBe(0)
  expect(list.leftMs('challenge', 'ann', 0)).toBe(0)
})

test('[BLOCK.2] never shortens a block, in any order of blocks', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1_000 }), { minLength: 1 }), (untils) => {
      const list = new Blocklist()
      for (const untilMs of untils) list.add({ kind: 'address', key: 'a', untilMs })
      expect(list.leftMs('address', 'a', 0)).toBe(Math.max(...untils))
    }),
  )
})

test('[BLOCK.2] removes a lifted block, and no other', () => {
  const list = new Blocklist()
  for (const kind of BLOCK_KINDS) list.add({ kind, key: 'x', untilMs: 10 })
  list.lift('address', 'x')
  list.lift('address', 'unknown')
  expect(BLOCK_KINDS.map((kind) => list.leftMs(kind, 'x', 0))).toEqual([0, 10, 10])
})

test('[BLOCK.2] lists current blocks of every kind, and forgets expired ones', () => {
  const list = new Blocklist()
  list.add({ kind: 'calls', key: 'short', untilMs: 10 })
  for (const kind of BLOCK_KINDS) list.add({ kind, key: 'long', untilMs: 20 })
  const long = BLOCK_KINDS.map((kind) => ({ kind, key: 'long', untilMs: 20 }))
  expect(list.list(10)).toEqual(long)
  // Querying an earlier moment shows the entries still in memory.
  expect(list.list(0)).toEqual(long)
  expect(list.list(20)).toEqual([])
})

test('[BLOCK.3] forgets expired blocks while others are queried', () => {
  const list = new Blocklist()
  for (let key = 0; key < 500; key++) list.add({ kind: 'address', key: `run out ${key}`, untilMs: 10 })
  list.add({ kind: 'calls', key: 'ann', untilMs: 1_000 })
  for (let asked = 0; asked < 1_024; asked++) list.leftMs('address', 'nobody', 500)
  // Querying an earlier moment shows the entries still in memory.
  expect(list.list(0)).toEqual([{ kind: 'calls', key: 'ann', untilMs: 1_000 }])
})
