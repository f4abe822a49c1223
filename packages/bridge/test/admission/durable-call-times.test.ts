import { openSqliteStores } from '@bridgekeeper/standalone/testing'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { DurableCallTimes } from '../../src/admission/durable-call-times.ts'
import { SlidingWindow } from '../../src/limiters/sliding-window.ts'
import type { CallTimesStore } from '../../src/ports.ts'

const LIMIT = { max: 5, windowMs: 60_000 }
const settled = () => new Promise((resolve) => setImmediate(resolve))

async function openStore(): Promise<CallTimesStore> {
  const stores = await openSqliteStores(':memory:', new FakeSystem())
  onTestFinished(() => stores.close())
  return stores.callTimes
}

async function setUp(given?: CallTimesStore, system = new FakeSystem(), limit = LIMIT) {
  const store = given ?? (await openStore())
  const window = new SlidingWindow(limit)
  const callTimes = new DurableCallTimes(store, window, system)
  const call = (user: string) => window.take(user, system.monotonicMs())
  const remaining = (user: string) => window.remaining(user, system.monotonicMs())
  const advance = async (ms: number) => {
    system.advance(ms)
    await settled()
  }
  return { store, system, window, callTimes, call, remaining, advance }
}

/** Opens the same store in a later process, with a new monotonic clock. */
async function restart(before: Awaited<ReturnType<typeof setUp>>, laterMs = 0, store = before.store) {
  const system = new FakeSystem()
  system.advance(98_765)
  system.stepWallClock(before.system.nowMs() + laterMs - system.nowMs())
  const after = await setUp(store, system)
  await after.callTimes.start()
  return after
}

test('[RATE.2] keeps the rest of the limit over a restart, no more and no less', async () => {
  const before = await setUp()
  await before.callTimes.start()
  for (const user of ['ann', 'ann', 'ann', 'bob']) before.call(user)
  await before.advance(30_000)
  before.call('ann')
  await before.callTimes.close()
  const after = await restart(before, 10_000)
  expect([after.remaining('ann'), after.remaining('bob'), after.remaining('eve')]).toEqual([1, 4, 5])
  await after.advance(20_000)
  expect(after.remaining('ann')).toBe(4)
})

test('[RATE.2] allows at most 5 calls in any 60 seconds over restarts, at any times', async () => {
  const store = await openStore()
  const step = fc.record({ gapMs: fc.nat({ max: 30_000 }), restarts: fc.boolean() })
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const user = `user ${run++}`
      const passedMs: number[] = []
      let node = await setUp(store)
      await node.callTimes.start()
      for (const { gapMs, restarts } of steps) {
        await node.advance(gapMs)
        if (restarts) {
          await node.callTimes.close()
          node = await restart(node)
        }
        const wallMs = node.system.nowMs()
        const recent = passedMs.filter((atMs) => wallMs - atMs < LIMIT.windowMs).length
        expect(node.call(user)).toBe(recent < LIMIT.max)
        if (recent < LIMIT.max) passedMs.push(wallMs)
      }
      await node.callTimes.close()
    }),
    { numRuns: 40 },
  )
})

test('[RATE.2] forgets at most the last second’s calls after a kill', async () => {
  const before = await setUp()
  await before.callTimes.start()
  before.call('ann')
  await before.advance(1_000)
  before.call('ann')
  await before.advance(999)
  const killed = await restart(before)
  expect(killed.remaining('ann')).toBe(4)
  await before.advance(1)
  expect((await restart(before)).remaining('ann')).toBe(3)
})

test('[RATE.2] saves call times after the store recovers', async () => {
  const inner = await openStore()
  let down = false
  const store: CallTimesStore = {
    load: (sinceMs) => inner.load(sinceMs),
    save: (entries) => (down ? Promise.reject(new Error('the store is down')) : inner.save(entries)),
    forget: (userId) => inner.forget(userId),
  }
  const before = await setUp(store)
  await before.callTimes.start()
  down = true
  before.call('ann')
  await before.advance(1_000)
  await before.advance(1_000)
  expect(before.remaining('ann')).toBe(4)
  down = false
  await before.advance(1_000)
  expect((await restart(before)).remaining('ann')).toBe(4)
})

test('[RATE.2] keeps a window of days over a restart', async () => {
  const day = { max: 5, windowMs: 86_400_000 }
  const before = await setUp(await openStore(), new FakeSystem(), day)
  await before.callTimes.start()
  for (let call = 0; call < 5; call++) before.call('ann')
  await before.callTimes.close()
  await before.advance(7_200_000)
  const after = await setUp(before.store, before.system, day)
  await after.callTimes.start()
  expect(after.call('ann')).toBe(false)
})

test('[STOP.1] closes although the store is down', async () => {
  const down: CallTimesStore = {
    load: async () => [],
    save: () => Promise.reject(new Error('the store is down')),
    forget: async () => {},
  }
  const { callTimes, call } = await setUp(down)
  await callTimes.start()
  call('ann')
  await callTimes.close()
})

test('[RATE.2] rejects a start without its store', async () => {
  const down: CallTimesStore = {
    load: () => Promise.reject(new Error('the store is down')),
    save: async () => {},
    forget: async () => {},
  }
  const { callTimes, system } = await setUp(down)
  await expect(callTimes.start()).rejects.toThrow('down')
  expect(system.armed).toBe(0)
})

test.each([-3_600_000, -10_000])(
  '[RATE.2] frees nobody early when the wall clock was set back by %i ms before a restart',
  async (stepMs) => {
    const before = await setUp()
    await before.callTimes.start()
    for (let call = 0; call < 5; call++) before.call('ann')
    await before.callTimes.close()
    const after = await restart(before, stepMs)
    expect(after.call('ann')).toBe(false)
    await after.advance(60_000)
    expect(after.call('ann')).toBe(true)
  },
)

test('[RATE.2] moves no call when the wall clock steps between two saves', async () => {
  const before = await setUp()
  await before.callTimes.start()
  before.call('ann')
  before.system.stepWallClock(3_600_000)
  await before.advance(1_000)
  expect(before.remaining('ann')).toBe(4)
  expect((await restart(before)).remaining('ann')).toBe(4)
})

test('[RATE.2] keeps nothing and arms no timer without a store', async () => {
  const system = new FakeSystem()
  const callTimes = new DurableCallTimes(undefined, new SlidingWindow(LIMIT), system)
  await callTimes.start()
  expect(system.armed).toBe(0)
  await callTimes.close()
})

test('[RATE.2] saves no more once closed, also during a save', async () => {
  const saving: (() => void)[] = []
  const store: CallTimesStore = {
    load: async () => [],
    save: () => new Promise((resolve) => saving.push(resolve)),
    forget: async () => {},
  }
  const { callTimes, call, system, advance } = await setUp(store)
  await callTimes.start()
  call('ann')
  await advance(1_000)
  const closed = callTimes.close()
  for (const resolve of saving) resolve()
  await settled()
  for (const resolve of saving) resolve()
  await closed
  await settled()
  expect(system.armed).toBe(0)
})
