import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { describeStores } from './databases.ts'
import { NOW_MS } from './examples.ts'

describeStores('blocks, fingerprints and call times', (fresh) => {
  test('[BLOCK.1] shows a block to every process until it expires or is lifted', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [(await open(system)).blocks, (await open(system)).blocks]
    await one.put({ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 5_000 })
    await one.put({ kind: 'calls', key: '10.0.0.1', untilMs: NOW_MS + 3_000 })
    await one.put({ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 6_000.2 })
    expect(await other.all()).toEqual([
      { kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 6_001 },
      { kind: 'calls', key: '10.0.0.1', untilMs: NOW_MS + 3_000 },
    ])
    system.advance(3_000)
    expect(await other.all()).toHaveLength(1)
    const names = [
      { kind: 'address', key: '10.0.0.1' },
      { kind: 'calls', key: '10.0.0.1' },
      { kind: 'challenge', key: "' or 1" },
    ] as const
    expect(await other.held(names)).toEqual([{ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 6_001 }])
    expect(await other.held(names.slice(1))).toEqual([])
    expect(await other.held([])).toEqual([])
    expect(await other.remove({ kind: 'address', key: '10.0.0.1' })).toBe(true)
    expect(await other.remove({ kind: 'address', key: '10.0.0.1' })).toBe(false)
    expect(await one.all()).toEqual([])
  })

  test('[BLOCK.2] does not let a node’s block shorten an operator’s newer one', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [operator, node] = [(await open(system)).blocks, (await open(system)).blocks]
    await operator.put({ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 30_000 })
    await node.put({ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 1_000 })
    expect(await operator.all()).toEqual([{ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 30_000 }])
  })

  test('[FP.1] shows every process where a login was last seen', async () => {
    const open = fresh()
    const [one, other] = [(await open()).fingerprints, (await open()).fingerprints]
    expect(await one.last('s')).toBeUndefined()
    await one.remember('s', 'first', NOW_MS)
    await one.remember('s', 'second', NOW_MS + 1.5)
    expect(await other.last('s')).toBe('second')
    expect(await other.last('t')).toBeUndefined()
  })

  test('[RATE.2] keeps a user’s recent call times after a process ends, and drops old ones', async () => {
    const open = fresh()
    const [one, other] = [(await open()).callTimes, (await open()).callTimes]
    await one.save([
      ['ann', [1_000, 2_000.5]],
      ['bob', [10]],
    ])
    await one.save([['ann', [2_000.5, 3_000]]])
    expect([...(await other.load(500))]).toEqual([['ann', [2_000.5, 3_000]]])
    expect([...(await one.load(0))]).toEqual([['ann', [2_000.5, 3_000]]])
    await other.forget('ann')
    expect([...(await one.load(0))]).toEqual([])
  })

  test('[RATE.2] lets two processes save many users at once, in any order', async () => {
    const open = fresh()
    const [one, other] = [(await open()).callTimes, (await open()).callTimes]
    const users = Array.from({ length: 1_200 }, (_, index) => [`user ${index}`, [index + 1]] as const)
    await Promise.all([one.save(users), other.save(users.toReversed()), one.save(users), other.save([])])
    expect(new Map(await other.load(0))).toEqual(new Map(users))
  })

  test('[RATE.2] rolls back a failed save, so that later writes succeed', async () => {
    const open = fresh()
    const [one, other] = [(await open()).callTimes, (await open()).callTimes]
    const broken = function* (): Iterable<readonly [string, readonly number[]]> {
      yield ['ann', [1]]
      throw new Error('broken')
    }
    await expect(one.save(broken())).rejects.toThrow('broken')
    await expect(one.save([['ann', [Number.NaN]]])).rejects.toThrow()
    await one.save([['bob', [2]]])
    await other.save([['eve', [3]]])
    expect([...(await other.load(0))].map(([userId]) => userId)).toEqual(['bob', 'eve'])
  })
})
