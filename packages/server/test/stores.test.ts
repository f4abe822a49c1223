import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { sqliteBlocks } from '../src/adapters/sqlite/blocks.ts'
import { sqliteCallTimes } from '../src/adapters/sqlite/call-times.ts'
import { openDatabase } from '../src/adapters/sqlite/database.ts'
import { sqliteFingerprints } from '../src/adapters/sqlite/fingerprints.ts'

/** Two processes' view of one file. */
function twoOf<T>(make: (database: ReturnType<typeof openDatabase>) => T): readonly [T, T] {
  const path = join(scratch(), 'state.db')
  const open = () => {
    const database = openDatabase(path)
    onTestFinished(() => database.close())
    return make(database)
  }
  return [open(), open()]
}

test('[BLOCK.1] a block is seen by every process until it runs out or is lifted', async () => {
  let nowMs = 1_000
  const [one, other] = twoOf((database) => sqliteBlocks(database, () => nowMs))
  await one.put({ kind: 'address', key: '10.0.0.1', untilMs: 5_000 })
  await one.put({ kind: 'calls', key: '10.0.0.1', untilMs: 3_000 })
  await one.put({ kind: 'address', key: '10.0.0.1', untilMs: 6_000.2 })
  expect(await other.all()).toEqual([
    { kind: 'address', key: '10.0.0.1', untilMs: 6_001 },
    { kind: 'calls', key: '10.0.0.1', untilMs: 3_000 },
  ])
  nowMs = 3_000
  expect(await other.all()).toHaveLength(1)
  expect(await other.remove({ kind: 'address', key: '10.0.0.1' })).toBe(true)
  expect(await other.remove({ kind: 'address', key: '10.0.0.1' })).toBe(false)
  expect(await one.all()).toEqual([])
})

test('[BLOCK.2] a block of a node does not shorten the one that an operator has just made', async () => {
  const [operator, node] = twoOf((database) => sqliteBlocks(database, () => 0))
  await operator.put({ kind: 'address', key: '10.0.0.1', untilMs: 30_000 })
  await node.put({ kind: 'address', key: '10.0.0.1', untilMs: 1_000 })
  expect(await operator.all()).toEqual([{ kind: 'address', key: '10.0.0.1', untilMs: 30_000 }])
})

test('[FP.1] where a login was seen last is seen by every process', async () => {
  const [one, other] = twoOf(sqliteFingerprints)
  expect(await one.last('s')).toBeUndefined()
  await one.remember('s', 'first', 1)
  await one.remember('s', 'second', 2.5)
  expect(await other.last('s')).toBe('second')
  expect(await other.last('t')).toBeUndefined()
})

test('[RATE.2] when users called outlives a process; what is too old does not', async () => {
  const [one, other] = twoOf(sqliteCallTimes)
  await one.save([
    ['ann', [1_000, 2_000]],
    ['bob', [10]],
  ])
  await one.save([['ann', [2_000, 3_000]]])
  expect([...(await other.load(500))]).toEqual([['ann', [2_000, 3_000]]])
  expect([...(await one.load(0))]).toEqual([['ann', [2_000, 3_000]]])
})

test('[RATE.2] a save that fails leaves no transaction open: the next one, and other processes, can write', async () => {
  const [one, other] = twoOf(sqliteCallTimes)
  const broken = function* (): Iterable<readonly [string, readonly number[]]> {
    yield ['ann', [1]]
    throw new Error('broken')
  }
  await expect(one.save(broken())).rejects.toThrow('broken')
  await one.save([['bob', [2]]])
  await other.save([['eve', [3]]])
  expect([...(await other.load(0))].map(([userId]) => userId)).toEqual(['bob', 'eve'])
})
