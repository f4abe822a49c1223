import { expect, test } from 'vitest'
import type { Instance, Lease } from '../../src/servers/instance.ts'
import { MAX_WAITING, POOL_SIZE, QUIET_LEASES } from '../../src/servers/lease-pool.ts'
import { FakeChild, settled } from '../support/fake-child.ts'
import { child, fakeInstances, key, messagesOf } from '../support/fake-instances.ts'

const never = new AbortController().signal
const ASKS = key('2025', 'sampling')
const dual = child({ eras: ['2025', '2026'] })

/** Leases and releases until the server counts as quiet. */
async function makeQuiet(lease: (wanted: typeof ASKS) => Promise<Lease>): Promise<void> {
  for (let count = 0; count < QUIET_LEASES; count++) (await lease(ASKS)).release()
}

/** A request of the server to its caller. */
async function ask(process: FakeChild, method = 'sampling/createMessage'): Promise<void> {
  process.write(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: {} }))
  await settled()
}

test('[INST.10] serves twenty clients from four processes, in their order, and refuses nobody', async () => {
  const { children, lease } = await fakeInstances()
  const granted: number[] = []
  const leases: Lease[] = []
  const busy = new Set<Instance>()
  for (let client = 0; client < 20; client++) {
    void lease(ASKS).then((each) => {
      expect([each.isExclusive, busy.has(each.instance)]).toEqual([true, false])
      busy.add(each.instance)
      granted.push(client)
      leases.push(each)
    })
  }
  await settled()
  expect([granted, children.length]).toEqual([[0, 1, 2, 3], 1 + POOL_SIZE])
  for (let next = 4; next < 20; next++) {
    const over = leases.shift()
    if (over !== undefined) busy.delete(over.instance)
    over?.release()
    over?.release()
    await settled()
    expect(granted).toHaveLength(next + 1)
  }
  expect([granted, children.length]).toEqual([Array.from({ length: 20 }, (_, n) => n), 1 + POOL_SIZE])
})

test('[INST.10] starts no second process for clients who come one after the other', async () => {
  const { children, lease } = await fakeInstances()
  for (let client = 0; client < 5; client++) (await lease(ASKS)).release()
  expect(children).toHaveLength(2)
})

test('[INST.10] gives an owner its last instance, or the preferred one, if it is free', async () => {
  const { lease } = await fakeInstances()
  const [one, other] = [{}, {}]
  const first = await lease(ASKS, one)
  const second = await lease(ASKS, other)
  first.release()
  second.release()
  const again = await lease(ASKS, other)
  expect(again.instance).toBe(second.instance)
  expect((await lease(ASKS, {}, again.instance)).instance).toBe(first.instance)
  again.release()
  expect((await lease(ASKS, one, second.instance)).instance).toBe(second.instance)
})

test('[INST.10] gives an owner who has a lease the same instance at once, until its last release', async () => {
  const { lease, instances } = await fakeInstances()
  const [owner, other] = [{}, {}]
  const [first, second] = [await lease(ASKS, owner), await lease(ASKS, owner)]
  expect(second.instance).toBe(first.instance)
  first.release()
  const foreign = await lease(ASKS, other)
  expect(foreign.instance).not.toBe(first.instance)
  expect([first.instance, foreign.instance].map((instance) => instances.ownerOf(instance))).toEqual([
    owner,
    other,
  ])
  second.release()
  expect(instances.ownerOf(first.instance)).toBeUndefined()
})

test('[INST.10] lets requests without a lease use any process of the key, a free one first', async () => {
  const { children, lease, shared } = await fakeInstances()
  const taken = await lease(ASKS)
  expect(await shared(ASKS)).toBe(taken.instance)
  const other = await lease(ASKS)
  taken.release()
  expect(await shared(ASKS)).toBe(taken.instance)
  other.release()
  expect(children).toHaveLength(3)
})

test('[INST.11] shares one instance once the server was quiet, until it asks again', async () => {
  const { childOf, children, instances, lease } = await fakeInstances()
  await makeQuiet(lease)
  const shared = [await lease(ASKS), await lease(ASKS)]
  expect(shared.map(({ isExclusive }) => isExclusive)).toEqual([false, false])
  expect(shared[0]?.instance).toBe(shared[1]?.instance)
  expect(children).toHaveLength(2)
  const [{ instance } = expect.fail()] = shared
  messagesOf(instance)
  expect(instances.ownerOf(instance)).toBeUndefined()
  await ask(childOf(instance))
  const after = await lease(ASKS)
  expect([after.isExclusive, after.instance === instance]).toEqual([true, false])
  for (const each of shared) each.release()
  expect((await lease(ASKS)).instance).toBe(instance)
})

test('[INST.11] counts an ask during a lease, but no request for roots', async () => {
  const { childOf, lease } = await fakeInstances()
  for (let count = 0; count < QUIET_LEASES - 1; count++) (await lease(ASKS)).release()
  const last = await lease(ASKS)
  messagesOf(last.instance)
  await ask(childOf(last.instance), 'roots/list')
  last.release()
  const quiet = await lease(ASKS)
  expect(quiet.isExclusive).toBe(false)
  await ask(childOf(quiet.instance), 'elicitation/create')
  quiet.release()
  for (let count = 0; count < QUIET_LEASES - 1; count++) {
    const each = await lease(ASKS)
    expect(each.isExclusive).toBe(true)
    each.release()
  }
  expect((await lease(ASKS)).isExclusive).toBe(false)
})

test('[INST.11] does not share an instance that still has an exclusive owner', async () => {
  const { lease } = await fakeInstances()
  const exclusive = await lease(ASKS)
  await makeQuiet(lease)
  const shared = await lease(ASKS)
  expect([shared.isExclusive, shared.instance === exclusive.instance]).toEqual([false, false])
})

test('[INST.12] needs no lease for callers who cannot be asked', async () => {
  const { lease, shared } = await fakeInstances([dual, dual, dual])
  for (const wanted of [key('2025'), key('2025', 'roots', 'tasks'), key('2026', 'sampling')]) {
    const [one, other] = [await lease(wanted), await lease(wanted)]
    expect([one.isExclusive, one.instance === other.instance]).toEqual([false, true])
    expect(await shared(wanted)).toBe(one.instance)
    one.release()
  }
})

test('[INST.13] leaves the queue when the caller no longer waits, and bounds the queue', async () => {
  const { instances, lease } = await fakeInstances()
  const held = await Promise.all(Array.from({ length: POOL_SIZE }, () => lease(ASKS)))
  const leaving = new AbortController()
  const left = instances.lease(ASKS, {}, { signal: leaving.signal })
  const waiting = Array.from({ length: MAX_WAITING - 1 }, () => instances.lease(ASKS, {}, { signal: never }))
  await settled()
  expect(await instances.lease(ASKS, {}, { signal: never })).toEqual({
    fault: 'unavailable',
    reason: '256 requests already wait for a process of it.',
  })
  leaving.abort()
  expect(await left).toMatchObject({ fault: 'unavailable' })
  expect(await instances.lease(ASKS, {}, { signal: leaving.signal })).toMatchObject({ fault: 'unavailable' })
  held[0]?.release()
  expect(await waiting[0]).toMatchObject({ instance: held[0]?.instance })
})

test('[INST.14] gives the lease of a crashed instance to a new one, and goes on', async () => {
  const { childOf, children, lease } = await fakeInstances()
  const held = await Promise.all(Array.from({ length: POOL_SIZE }, () => lease(ASKS)))
  const waiting = lease(ASKS)
  const [crashed = expect.fail()] = held
  const request = crashed.instance.request('tools/call', undefined, never)
  childOf(crashed.instance).end(1)
  expect(await request).toEqual({ kind: 'ended' })
  await crashed.instance.ended
  const next = await waiting
  expect(held.map(({ instance }) => instance)).not.toContain(next.instance)
  crashed.release()
  expect(children).toHaveLength(2 + POOL_SIZE)
})

test('[INST.14] gives an owner whose instance crashed another one', async () => {
  const { childOf, lease } = await fakeInstances()
  const owner = {}
  const { instance } = await lease(ASKS, owner)
  childOf(instance).end(1)
  await instance.ended
  expect((await lease(ASKS, owner)).instance).not.toBe(instance)
})

test('[INST.14] refuses those who wait if no process can be started, and tries again for the next', async () => {
  const fails = child({ eras: [] })
  const { children, instances, lease } = await fakeInstances([() => new FakeChild(), fails, fails])
  const waiting = [0, 1].map(() => instances.lease(ASKS, {}, { signal: never }))
  expect(await Promise.all(waiting)).toMatchObject([{ fault: 'unavailable' }, { fault: 'unavailable' }])
  expect(children).toHaveLength(3)
  expect((await lease(ASKS)).isExclusive).toBe(true)
})

test('[INST.14] lets those who wait share the processes that run, if another cannot be started', async () => {
  const { children, lease } = await fakeInstances([
    () => new FakeChild(),
    () => new FakeChild(),
    child({ eras: [] }),
    child({ eras: [] }),
  ])
  const first = await lease(ASKS)
  const [second, third] = [lease(ASKS), lease(ASKS)]
  await settled()
  expect(children).toHaveLength(4)
  first.release()
  expect((await second).instance).toBe(first.instance)
  // After a release, another start is tried.
  expect((await third).instance).not.toBe(first.instance)
})

test('[INST.14] refuses those who wait when the first process ends', async () => {
  const { children, instances, lease } = await fakeInstances()
  await Promise.all(Array.from({ length: POOL_SIZE }, () => lease(ASKS)))
  const waiting = instances.lease(ASKS, {}, { signal: never })
  await settled()
  children[0]?.end(1)
  expect(await waiting).toEqual({ fault: 'unavailable', reason: 'Its first process has ended.' })
})

test('[INST.5] lets a lease wait while eight processes are in use', async () => {
  const { children, lease, shared } = await fakeInstances()
  const others = [key('2025', 'roots'), key('2025', 'tasks'), key('2025', 'roots', 'tasks')]
  const holds = await Promise.all(others.map(async (wanted) => (await shared(wanted)).hold()))
  const held = await Promise.all(Array.from({ length: POOL_SIZE }, () => lease(ASKS)))
  expect(children).toHaveLength(8)
  const waiting = lease(key('2025', 'elicitation-form'))
  await settled()
  expect(children).toHaveLength(8)
  holds[0]?.()
  await waiting
  expect([children.length, held.length]).toEqual([9, POOL_SIZE])
})

/** Sets of capabilities, each of which needs a process. */
const PROFILES = [
  key('2025', 'roots'),
  key('2025', 'tasks'),
  key('2025', 'roots', 'tasks'),
  key('2025', 'sampling'),
  key('2025', 'elicitation-form'),
  key('2025', 'elicitation-url'),
  key('2025', 'roots', 'sampling'),
]
const OTHERS = [
  key('2025', 'sampling', 'tasks'),
  key('2025', 'elicitation-form', 'tasks'),
  key('2025', 'elicitation-url', 'tasks'),
  key('2025', 'roots', 'sampling', 'tasks'),
]

test('[INST.16] ends a process of the login with most, for a login with at least two fewer', async () => {
  const { instances, shared } = await fakeInstances()
  const greedy = []
  for (const profile of PROFILES) greedy.push(await shared(profile, 'eve'))
  for (const instance of greedy) instance.hold()
  const ninth = OTHERS[0] as (typeof OTHERS)[number]
  expect(await instances.shared(ninth, 'eve')).toMatchObject({ fault: 'unavailable' })
  for (const [at, profile] of OTHERS.slice(0, 3).entries()) {
    const instance = await shared(profile, 'ann')
    instance.hold()
    await greedy[at]?.ended
  }
  const fourth = OTHERS[3] as (typeof OTHERS)[number]
  expect(await instances.shared(fourth, 'ann')).toMatchObject({ fault: 'unavailable' })
  expect(await shared(PROFILES[6] as (typeof PROFILES)[number], 'eve')).toBe(greedy[6])
})

test('[INST.16] leases a process to a login although another one has all, and waits longer for more', async () => {
  const { instances, shared } = await fakeInstances()
  const greedy = []
  for (const profile of PROFILES) greedy.push(await shared(profile, 'eve'))
  for (const instance of greedy) instance.hold()
  const wanted = OTHERS[0] as (typeof OTHERS)[number]
  const granted: string[] = []
  const lease = (client: string): void =>
    void instances.lease(wanted, {}, { client, signal: never }).then(() => granted.push(client))
  for (const client of ['eve', 'eve', 'eve', 'ann']) lease(client)
  await greedy[0]?.ended
  await settled()
  expect(granted).toContain('ann')
})

test('[INST.16] counts processes that start for a login as its own', async () => {
  const { instances, shared } = await fakeInstances()
  const greedy = []
  for (const profile of PROFILES) greedy.push(await shared(profile, 'eve'))
  for (const instance of greedy) instance.hold()
  const [wanted = expect.fail()] = OTHERS
  let granted = 0
  for (let count = 0; count < POOL_SIZE; count++)
    void instances.lease(wanted, {}, { client: 'ann', signal: never }).then(() => granted++)
  await Promise.all(greedy.slice(0, 3).map(({ ended }) => ended))
  await settled()
  expect(granted).toBe(3)
  expect(await shared(PROFILES[3] ?? expect.fail(), 'eve')).toBe(greedy[3])
})

test('[INST.16] ends no process that several logins use', async () => {
  const { instances, shared } = await fakeInstances()
  const greedy = []
  for (const profile of PROFILES) greedy.push(await shared(profile, 'eve'))
  for (const instance of greedy) instance.hold()
  await shared(PROFILES[0] as (typeof PROFILES)[number], 'bob')
  const other = OTHERS[0] as (typeof OTHERS)[number]
  ;(await shared(other, 'ann')).hold()
  await greedy[1]?.ended
  expect(await instances.shared(PROFILES[0] as (typeof PROFILES)[number], 'eve')).toBe(greedy[0])
})

test('[INST.13] keeps those who wait when the caller of a granted lease leaves', async () => {
  const { instances, lease } = await fakeInstances()
  const leaving = new AbortController()
  await instances.lease(ASKS, {}, { signal: leaving.signal })
  const held = await Promise.all(Array.from({ length: POOL_SIZE - 1 }, () => lease(ASKS)))
  const cancelled = new AbortController()
  const waiting = [never, cancelled.signal, never].map((signal) => instances.lease(ASKS, {}, { signal }))
  await settled()
  leaving.abort()
  cancelled.abort()
  expect(await waiting[1]).toEqual({ fault: 'unavailable', reason: 'The caller no longer waits for it.' })
  for (const each of held) each.release()
  expect(await waiting[0]).toMatchObject({ instance: held[0]?.instance })
  expect(await waiting[2]).toMatchObject({ instance: held[1]?.instance })
})
