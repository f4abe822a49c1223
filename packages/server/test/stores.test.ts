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

test('[BLOCK.1] a block is seen by every process until it runs out, is replaced or is lifted', async () => {
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
