import { expect, test } from 'vitest'
import type { Instance, Lease } from '../../src/servers/instance.ts'
import { MAX_PARKED } from '../../src/servers/instance-table.ts'
import { POOL_SIZE } from '../../src/servers/lease-pool.ts'
import { settled } from '../support/fake-child.ts'
import { fakeInstances, key, ok } from '../support/fake-instances.ts'

const never = new AbortController().signal
const ASKS = key('2025', 'sampling')

test('[INST.15] replaces a parked instance in the pool, and takes it back if there is room', async () => {
  const { children, lease } = await fakeInstances()
  const held = await Promise.all(Array.from({ length: POOL_SIZE }, () => lease(ASKS)))
  const [parked = expect.fail()] = held
  const waiting = lease(ASKS)
  await settled()
  parked.park('evict')
  const next = await waiting
  expect(children).toHaveLength(2 + POOL_SIZE)
  held[1]?.release()
  next.release()
  // The pool is full again.
  parked.release()
  await parked.instance.ended
  const again = await lease(ASKS)
  again.park('evict')
  again.release()
  expect((await lease(ASKS, {}, again.instance)).instance).toBe(again.instance)
})

test('[INST.15] ends the instance that was parked first when too many are parked', async () => {
  const { children, lease } = await fakeInstances()
  const parked: Lease[] = []
  for (let count = 0; count < MAX_PARKED; count++) {
    const each = await lease(ASKS)
    each.park('evict')
    parked.push(each)
  }
  expect(children.filter(({ exitCode }) => exitCode !== null)).toEqual([])
  const last = await lease(ASKS)
  last.park('evict')
  await parked[0]?.instance.ended
  expect(children.filter(({ exitCode }) => exitCode !== null)).toHaveLength(1)
})

test('[INST.15] ends no parked instance of a client with few when another parks too many', async () => {
  const { children, instances } = await fakeInstances()
  const parkFor = async (client: string) => {
    const lease = ok(await instances.lease(ASKS, {}, { signal: never, client }))
    lease.park('evict')
    return lease.instance
  }
  const first = await parkFor('ann')
  const greedy: Instance[] = []
  for (let count = 0; count < MAX_PARKED; count++) greedy.push(await parkFor('eve'))
  await Promise.race([first.ended, greedy[0]?.ended])
  const next = await parkFor('bob')
  await Promise.race([first.ended, greedy[1]?.ended])
  expect(children.filter(({ exitCode }) => exitCode !== null)).toHaveLength(2)
  for (const instance of [first, next]) instance.notify('test/lives', undefined)
  expect(children.filter(({ lines }) => lines.at(-1)?.method === 'test/lives')).toHaveLength(2)
})

test('[INST.15] parks no instance while its client is asked, if 16 are parked, or after its release', async () => {
  const { lease } = await fakeInstances()
  const parked: Lease[] = []
  for (let count = 0; count < MAX_PARKED; count++) {
    const each = await lease(ASKS)
    each.park(count % 2 === 0 ? 'stay' : 'evict')
    parked.push(each)
  }
  const held = await Promise.all(Array.from({ length: POOL_SIZE }, () => lease(ASKS)))
  const [first = expect.fail()] = held
  let hasNext = false
  const next = lease(ASKS).then((granted) => {
    hasNext = true
    return granted
  })
  first.park('stay')
  await settled()
  expect(hasNext).toBe(false)
  parked[0]?.release()
  await parked[0]?.instance.ended
  first.park('stay')
  const { instance, release, park } = await next
  release()
  park('evict')
  expect((await lease(ASKS)).instance).toBe(instance)
})
