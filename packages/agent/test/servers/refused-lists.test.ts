import { expect, test } from 'vitest'
import { entry, FakeChild, runFakes, settled, type World } from '../support/fake-child.ts'

/** Starts a server that refuses its first lists of tools. */
async function refusing(refusedLists: number, changes: Partial<FakeChild> = {}) {
  const child = Object.assign(new FakeChild(), { refusedLists, ...changes })
  const world: World = { children: [], happened: [], spawned: [], next: [() => child] }
  const run = runFakes(world, [entry()])
  await settled()
  const lists = () => child.requests('tools/list').length
  const after = async (durationMs: number) => {
    await run.system.advance(durationMs)
    await settled()
    return lists()
  }
  return { ...run, child, lists, after }
}

test('[TOOLS.13] requests a refused list again after 0.25, 1 and 2 seconds', async () => {
  const { named, lists, after } = await refusing(3)
  expect(lists()).toBe(1)
  for (const [n, pauseMs] of [250, 1_000, 2_000].entries())
    expect([await after(pauseMs - 1), await after(1)]).toEqual([n + 1, n + 2])
  expect(named('server-ready')).toMatchObject([{ tools: 1 }])
})

test('[TOOLS.13] gives a server up that refuses its list four times', async () => {
  const { named, after } = await refusing(4)
  expect([await after(1_250), named('server-failed')]).toEqual([3, []])
  expect(await after(2_000)).toBe(4)
  expect(named('server-failed')).toMatchObject([
    { reason: expect.stringContaining('did not list its tools') },
  ])
})

test('[TOOLS.13] requests no list again of a server that has ended, or announced no tools', async () => {
  const ended = await refusing(4)
  ended.child.end(1)
  expect(await ended.after(250)).toBe(1)
  expect(ended.named('server-failed')).toHaveLength(1)
  const plain = await refusing(4, { hasTools: false })
  expect([await plain.after(3_250), plain.named('server-ready')]).toMatchObject([1, [{ tools: 0 }]])
})
