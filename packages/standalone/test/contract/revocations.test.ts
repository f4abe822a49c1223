import type { Revocation } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { describeStores } from './databases.ts'

const user = (id: string): Revocation => ({ kind: 'user', id })

/** Lets the readings that are due begin. @returns how many revocations came so far */
function nextReading(system: FakeSystem, ...told: readonly (readonly Revocation[])[]): readonly number[] {
  system.advance(250)
  return told.map(({ length }) => length)
}

describeStores('revocations', (fresh) => {
  test('[STORE.11] gives each watcher every revocation once and in order at the next poll', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [await open(system), await open(system)]
    const told: Revocation[] = []
    const toldThere: Revocation[] = []
    one.revocations.watch((revocation) => told.push(revocation))
    other.revocations.watch((revocation) => toldThere.push(revocation))
    await one.revocations.publish({ kind: 'session', id: 's1' })
    system.advance(250)
    await expect.poll(() => toldThere.length, { interval: 5 }).toBe(1)
    const publish = (index: number) => (index % 2 === 0 ? one : other).revocations.publish(user(`u${index}`))
    await Promise.all(Array.from({ length: 40 }, (_, index) => publish(index)))
    await expect.poll(() => nextReading(system, told, toldThere), { interval: 5 }).toEqual([41, 41])
    expect(toldThere).toEqual(told)
    expect(new Set(told.map(({ id }) => id)).size).toBe(41)
    const behindMs = (): number => {
      system.advance(250)
      return one.revocations.behindMs()
    }
    await expect.poll(behindMs, { interval: 50 }).toBe(250)
  })

  test('[STORE.11] gives a stopped watcher nothing, and reads nothing without watchers', async () => {
    const system = new FakeSystem()
    const { revocations } = await fresh()(system)
    const told: string[] = []
    expect(system.armed).toBe(0)
    const stop = revocations.watch(({ id }) => told.push(`a ${id}`))
    const stopToo = revocations.watch(({ id }) => told.push(`b ${id}`))
    await revocations.publish(user('1'))
    stop()
    await revocations.publish(user('2'))
    stopToo()
    await revocations.publish(user('3'))
    expect(told).toEqual(['a 1', 'b 1', 'b 2'])
    expect(system.armed).toBe(0)
    expect(revocations.behindMs()).toBe(0)
    revocations.watch(({ id }) => told.push(`c ${id}`))
    system.advance(250)
    await expect.poll(() => told.at(-1)).toBe('c 3')
  })
})
