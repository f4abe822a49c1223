import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { type Dated, DeadlineQueue } from '../../src/collections/deadline-queue.ts'

interface Waiting extends Dated {
  toldAtMs: number[]
}

function waiting(system: FakeSystem): Waiting {
  const dated: Waiting = {
    dueAtMs: 0,
    queueIndex: -1,
    toldAtMs: [],
    timeUp: () => void dated.toldAtMs.push(system.monotonicMs()),
  }
  return dated
}

test('[STATE.5] reports each deadline once and on time, set, moved and removed in any order', () => {
  const move = fc.record({ who: fc.nat(7), afterMs: fc.option(fc.nat(1_000)), thenMs: fc.nat(300) })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const system = new FakeSystem()
      const queue = new DeadlineQueue(system)
      const all = Array.from({ length: 8 }, () => waiting(system))
      const due = new Map<number, number>()
      const told: number[][] = all.map(() => [])
      for (const { who, afterMs, thenMs } of moves) {
        const dated = all[who] as Waiting
        if (afterMs === null) queue.remove(dated)
        else queue.set(dated, system.monotonicMs() + afterMs)
        if (afterMs === null) due.delete(who)
        else due.set(who, system.monotonicMs() + afterMs)
        system.advance(thenMs)
        for (const [one, atMs] of due) {
          if (atMs > system.monotonicMs()) continue
          told[one]?.push(atMs)
          due.delete(one)
        }
        expect(all.map(({ toldAtMs }) => toldAtMs)).toEqual(told)
        expect(system.armed).toBe(due.size === 0 ? 0 : 1)
      }
    }),
  )
})

test('[STATE.5] reports a deadline beyond a timer’s range on time, and continues after a failing one', () => {
  const system = new FakeSystem()
  const queue = new DeadlineQueue(system)
  const late = waiting(system)
  const failing = waiting(system)
  failing.timeUp = () => {
    throw new Error('a fault')
  }
  queue.set(late, 3 * 2 ** 31)
  queue.set(failing, 5)
  expect(() => system.advance(5)).toThrow('a fault')
  system.advance(3 * 2 ** 31)
  expect(late.toldAtMs).toEqual([3 * 2 ** 31])
  expect(system.armed).toBe(0)
})

/** Keeps the delays of its timers. */
class Recording extends FakeSystem {
  readonly delaysMs: number[] = []
  override after(delayMs: number, run: () => void): () => void {
    this.delaysMs.push(delayMs)
    return super.after(delayMs, run)
  }
}

test('[STATE.5] sets no timer for longer than Node’s longest, nor for a time that has passed', () => {
  const system = new Recording()
  const queue = new DeadlineQueue(system)
  system.advance(10)
  queue.set(waiting(system), 10 + 2 ** 32)
  queue.set(waiting(system), 4)
  expect(system.delaysMs).toEqual([2 ** 31 - 1, 0])
})

test('[STATE.5] leaves the timer when a later deadline is set, moved or removed', () => {
  const system = new Recording()
  const queue = new DeadlineQueue(system)
  const [first, second] = [waiting(system), waiting(system)]
  queue.set(first, 5)
  queue.set(second, 5)
  queue.set(second, 7)
  queue.remove(second)
  queue.set(first, 6)
  expect(system.delaysMs).toEqual([5])
})
