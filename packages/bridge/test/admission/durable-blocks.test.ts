import { openSqliteStores } from '@bridgekeeper/standalone/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { DurableBlocks } from '../../src/admission/durable-blocks.ts'
import { MAX_WAITING_BLOCKS, MAX_WAITING_PER_BLOCK } from '../../src/admission/lift-checks.ts'
import type { Block, BlockStore } from '../../src/ports.ts'

const MINUTE_MS = 60_000
const BLOCK = { kind: 'calls', key: 'ann' } as const

/** Lets promises that are settled already run their course. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

async function openStore(system: FakeSystem): Promise<BlockStore> {
  const stores = await openSqliteStores(':memory:', system)
  onTestFinished(() => stores.close())
  return stores.blocks
}

async function setUp(system = new FakeSystem(), given?: BlockStore) {
  const store = given ?? (await openStore(system))
  const lifted: Pick<Block, 'kind' | 'key'>[] = []
  const blocks = new DurableBlocks(store, system, (block) => lifted.push(block))
  const begin = (forMs: number): void => {
    const block = { ...BLOCK, untilMs: system.monotonicMs() + forMs }
    blocks.list.add(block)
    blocks.save(block)
  }
  const leftMs = () => blocks.list.leftMs('calls', 'ann', system.monotonicMs())
  const advance = async (ms: number) => {
    system.advance(ms)
    await settled()
  }
  return { system, store, blocks, lifted, begin, leftMs, advance }
}

/** A store whose every method waits until the test ends it; a store that is down only rejects. */
function slowStore(inner: BlockStore) {
  const waiting: { readonly go: () => void; readonly fail: () => void }[] = []
  const slowly = <T>(run: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) =>
      waiting.push({
        go: () => void run().then(resolve, reject),
        fail: () => reject(new Error('the store is down')),
      }),
    )
  const store: BlockStore = {
    all: async () => {
      const read = await inner.all()
      return slowly(async () => read)
    },
    held: async (names) => {
      const read = await inner.held(names)
      return slowly(async () => read)
    },
    put: (block) => slowly(() => inner.put(block)),
    remove: (block) => slowly(() => inner.remove(block)),
  }
  return { store, next: () => waiting.shift() }
}

/** A store that may be down. */
function breakable(inner: BlockStore) {
  const state = { down: false }
  const unlessDown = <T>(run: () => Promise<T>): Promise<T> =>
    state.down ? Promise.reject(new Error('the store is down')) : run()
  const store: BlockStore = {
    all: () => unlessDown(() => inner.all()),
    held: (names) => unlessDown(() => inner.held(names)),
    put: (block) => unlessDown(() => inner.put(block)),
    remove: (block) => unlessDown(() => inner.remove(block)),
  }
  return { state, store }
}

test('[BLOCK.1] keeps a block over a restart for the rest of its time', async () => {
  const { system, store, blocks, begin, advance } = await setUp()
  await blocks.start()
  begin(15 * MINUTE_MS)
  await advance(5 * MINUTE_MS)
  blocks.close()
  // The next process counts its monotonic time from elsewhere.
  const after = new FakeSystem()
  after.advance(123_456)
  after.stepWallClock(system.nowMs() - after.nowMs())
  const next = await setUp(after, store)
  await next.blocks.start()
  expect(next.leftMs()).toBe(10 * MINUTE_MS)
})

test('[BLOCK.1] applies an operator’s block in a running node within two seconds', async () => {
  const { system, store, blocks, leftMs, advance } = await setUp()
  await blocks.start()
  await store?.put({ ...BLOCK, untilMs: system.nowMs() + MINUTE_MS })
  expect(leftMs()).toBe(0)
  await advance(2_000)
  expect(leftMs()).toBe(58_000)
})

test('[BLOCK.1] applies an operator’s lift and reports it once, but does not report an expiry', async () => {
  const { store, blocks, lifted, begin, leftMs, advance } = await setUp()
  await blocks.start()
  begin(15 * MINUTE_MS)
  await advance(2_000)
  expect(leftMs()).toBeGreaterThan(0)
  await store?.remove(BLOCK)
  await advance(2_000)
  expect(leftMs()).toBe(0)
  await advance(2_000)
  expect(lifted).toMatchObject([BLOCK])
  begin(3_000)
  await advance(2_000)
  await advance(2_000)
  expect(leftMs()).toBe(0)
  expect(lifted).toHaveLength(1)
})

test('[BLOCK.1] blocks again after a lift', async () => {
  const { store, blocks, lifted, begin, leftMs, advance } = await setUp()
  await blocks.start()
  begin(MINUTE_MS)
  await store?.remove(BLOCK)
  await advance(2_000)
  begin(MINUTE_MS)
  await advance(2_000)
  expect(leftMs()).toBe(58_000)
  expect(lifted).toHaveLength(1)
})

test('[BLOCK.1] keeps its own blocks without a store, and arms no timer', async () => {
  const system = new FakeSystem()
  const blocks = new DurableBlocks(undefined, system, () => {})
  await blocks.start()
  blocks.list.add({ ...BLOCK, untilMs: 1_000 })
  blocks.save({ ...BLOCK, untilMs: 1_000 })
  expect(system.armed).toBe(0)
  expect(blocks.list.leftMs('calls', 'ann', 0)).toBe(1_000)
})

test('[BLOCK.1] rejects a start without its store', async () => {
  const system = new FakeSystem()
  const { state, store } = breakable(await openStore(system))
  state.down = true
  await expect((await setUp(system, store)).blocks.start()).rejects.toThrow('down')
})

test('[BLOCK.2] keeps a block while the store is down, and stores it afterwards', async () => {
  const system = new FakeSystem()
  const inner = await openStore(system)
  const { state, store } = breakable(inner)
  const { blocks, lifted, begin, leftMs, advance } = await setUp(system, store)
  await blocks.start()
  state.down = true
  begin(15 * MINUTE_MS)
  await advance(10_000)
  expect(leftMs()).toBe(15 * MINUTE_MS - 10_000)
  state.down = false
  await advance(2_000)
  await advance(2_000)
  expect(leftMs()).toBe(15 * MINUTE_MS - 14_000)
  expect(lifted).toEqual([])
  expect(await inner.all()).toMatchObject([BLOCK])
})

test('[BLOCK.2] does not treat a block that begins during a read of the store as lifted', async () => {
  const system = new FakeSystem()
  const { store, next } = slowStore(await openStore(system))
  const { blocks, lifted, begin, leftMs, advance } = await setUp(system, store)
  const started = blocks.start()
  await settled()
  next()?.go()
  await started
  await advance(2_000)
  const reading = next()
  begin(MINUTE_MS)
  next()?.go()
  await settled()
  reading?.go()
  await settled()
  expect(leftMs()).toBe(MINUTE_MS)
  expect(lifted).toEqual([])
})

test.each([-7 * 24 * 3_600_000, -1_000, 1_000, 7 * 24 * 3_600_000])(
  '[BLOCK.2] neither shortens nor extends a block when the wall clock steps by %i ms',
  async (stepMs) => {
    const { system, blocks, lifted, begin, leftMs, advance } = await setUp()
    await blocks.start()
    begin(15 * MINUTE_MS)
    await advance(2_000)
    system.stepWallClock(stepMs)
    await advance(2_000)
    expect(leftMs()).toBe(15 * MINUTE_MS - 4_000)
    system.stepWallClock(-stepMs)
    await advance(2_000)
    expect(leftMs()).toBe(15 * MINUTE_MS - 6_000)
    expect(lifted).toEqual([])
  },
)

test('[BLOCK.2] stops watching when closed, also during a read or while the store is down', async () => {
  const system = new FakeSystem()
  const { store, next } = slowStore(await openStore(system))
  const { blocks, advance } = await setUp(system, store)
  const started = blocks.start()
  await settled()
  next()?.go()
  await started
  expect(system.armed).toBe(1)
  await advance(2_000)
  blocks.close()
  next()?.fail()
  await settled()
  expect(system.armed).toBe(0)
})

test('[BLOCK.5] finds a lift at once when it checks the lifted block', async () => {
  const { system, store, blocks, lifted, begin, leftMs } = await setUp()
  await blocks.start()
  begin(MINUTE_MS)
  const other = { kind: 'address', key: 'ann', untilMs: system.monotonicMs() + MINUTE_MS } as const
  blocks.list.add(other)
  blocks.save(other)
  await settled()
  await blocks.recheck(BLOCK)
  expect(leftMs()).toBe(MINUTE_MS)
  await store.remove(BLOCK)
  await store.remove(other)
  await blocks.recheck(BLOCK)
  expect(leftMs()).toBe(0)
  expect(lifted).toMatchObject([BLOCK])
  expect(blocks.list.leftMs('address', 'ann', system.monotonicMs())).toBe(MINUTE_MS)
})

test('[BLOCK.5] finds a lift that happens during a read at the next check', async () => {
  const system = new FakeSystem()
  const inner = await openStore(system)
  const { store, next } = slowStore(inner)
  const { blocks, begin, leftMs } = await setUp(system, store)
  begin(MINUTE_MS)
  next()?.go()
  await settled()
  const first = blocks.recheck(BLOCK)
  await settled()
  await inner.remove(BLOCK)
  const second = blocks.recheck(BLOCK)
  next()?.go()
  await first
  expect(leftMs()).toBe(MINUTE_MS)
  await settled()
  next()?.go()
  await second
  expect(leftMs()).toBe(0)
})

test('[BLOCK.5] makes one query at a time in a flood, and refuses requests over the bounds without one', async () => {
  const system = new FakeSystem()
  const inner = await openStore(system)
  let running = 0
  let most = 0
  let queries = 0
  const held: BlockStore['held'] = async (names) => {
    queries++
    most = Math.max(most, ++running)
    await settled()
    running--
    return inner.held(names)
  }
  const { blocks } = await setUp(system, { ...inner, held })
  const block = (key: string) => ({ kind: 'calls', key, untilMs: MINUTE_MS }) as const
  const keys = Array.from({ length: MAX_WAITING_BLOCKS + 2 }, (_, index) => `user ${index}`)
  for (const key of keys) blocks.save(block(key))
  await vi.waitFor(async () => expect(await inner.all()).toHaveLength(keys.length))
  const checks = Array.from({ length: 200 }, () => blocks.recheck(block('user 0')))
  // The first is in flight; the others wait for the next query.
  expect(checks.filter((check) => check !== undefined)).toHaveLength(1 + MAX_WAITING_PER_BLOCK)
  const others = keys.slice(1).map((key) => blocks.recheck(block(key)))
  expect(others.filter((check) => check === undefined)).toHaveLength(2)
  // A block that already waits takes no additional place.
  const again = blocks.recheck(block('user 1'))
  expect(again).toBeDefined()
  await Promise.all([...checks, ...others, again])
  expect([most, queries]).toEqual([1, 2])
})

test('[BLOCK.5] keeps a block and refuses in time while the store is down or silent', async () => {
  const system = new FakeSystem()
  const inner = await openStore(system)
  const { state, store } = breakable(inner)
  const broken = await setUp(system, store)
  broken.begin(MINUTE_MS)
  await settled()
  state.down = true
  await broken.blocks.recheck(BLOCK)
  expect(broken.leftMs()).toBe(MINUTE_MS)
  const silent = await setUp(system, { ...inner, held: () => new Promise(() => {}) })
  silent.begin(MINUTE_MS)
  await settled()
  const check = silent.blocks.recheck(BLOCK)
  system.advance(1_000)
  await check
  expect(silent.leftMs()).toBe(MINUTE_MS - 1_000)
  expect(system.armed).toBe(0)
})

test('[BLOCK.5] does not look up a block that no store holds', async () => {
  const { blocks } = await setUp()
  blocks.list.add({ ...BLOCK, untilMs: MINUTE_MS })
  expect(blocks.recheck(BLOCK)).toBeUndefined()
})

test('[BLOCK.5] looks up an operator’s block that it has read from the store', async () => {
  const { system, store, blocks, lifted, leftMs } = await setUp()
  await store.put({ ...BLOCK, untilMs: system.nowMs() + MINUTE_MS })
  await blocks.start()
  expect(leftMs()).toBe(MINUTE_MS)
  await store.remove(BLOCK)
  await blocks.recheck(BLOCK)
  expect(leftMs()).toBe(0)
  expect(lifted).toMatchObject([BLOCK])
  expect(blocks.recheck(BLOCK)).toBeUndefined()
})
