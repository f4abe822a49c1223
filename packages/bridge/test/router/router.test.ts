import type { CatalogServer } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import type { CallOutcome } from '../../src/calls/outcome.ts'
import { FirstStart } from '../../src/northbound/first-start.ts'
import { Router } from '../../src/router/router.ts'
import { FakeConnection, READY_SERVER, resultOf, shown } from '../support/fake-connection.ts'

const CALL = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
const STARTING: CatalogServer = { state: 'starting', name: 's' }

function setUp(...connections: readonly FakeConnection[]) {
  const router = new Router()
  for (const connection of connections) router.registerConnection(connection)
  const outcomes: CallOutcome[] = []
  const call = (userId = 'ann', serverName = 's') =>
    router.call(userId, { ...CALL, serverName }, (outcome) => outcomes.push(outcome))
  return { router, outcomes, call }
}

test('[ROUTE.1] routes a call to its user’s agent only', () => {
  const ann = new FakeConnection('ann', 'a1', [READY_SERVER])
  const bob = new FakeConnection('bob', 'b1', [READY_SERVER])
  const { outcomes, call } = setUp(ann, bob)
  const sent = call('bob')
  expect([ann.calls.length, bob.calls.length, sent.id]).toEqual([0, 1, 'call 1'])
  bob.calls[0]?.settle(resultOf('1'))
  expect(outcomes.map(shown)).toEqual(['1'])
  expect(call('eve').id).toBeUndefined()
  expect(shown(outcomes[1])).toBe('agent_offline')
})

test('[ROUTE.3] replaces a login’s connection by its second and third, once each', () => {
  const [first, second, third] = ['a1', 'a1', 'a1'].map((id) => new FakeConnection('ann', id, [READY_SERVER]))
  const other = new FakeConnection('ann', 'a2', [READY_SERVER])
  if (first === undefined || second === undefined || third === undefined) throw new Error('unreachable')
  const { router } = setUp(other, first)
  router.registerConnection(second)
  router.ended(first)
  router.registerConnection(third)
  router.ended(second)
  expect([first.replaced, second.replaced, third.replaced, other.replaced]).toEqual([1, 1, 0, 0])
  expect(router.ofLogin({ userId: 'ann', sessionId: 'a1' })).toBe(third)
  expect(router.ofLogin({ userId: 'ann', sessionId: 'a2' })).toBe(other)
  expect(router.ofLogin({ userId: 'bob', sessionId: 'a1' })).toBeUndefined()
})

test('[ROUTE.4] keeps the new connection at the late end of a replaced one, repeatedly', () => {
  const [old, fresh] = [new FakeConnection('ann', 'a1', []), new FakeConnection('ann', 'a1', [READY_SERVER])]
  const { router, call } = setUp(old, fresh)
  for (let time = 0; time < 2; time++) {
    router.ended(old)
    call()
  }
  expect(fresh.calls).toHaveLength(2)
  router.ended(fresh)
  expect(call().id).toBeUndefined()
})

test('[ROUTE.5] routes to the newer ready one of two agents with one server', () => {
  const older = new FakeConnection('ann', 'a1', [READY_SERVER])
  const newer = new FakeConnection('ann', 'a2', [STARTING])
  const { router, call } = setUp(older, newer)
  call()
  expect([older.calls.length, newer.calls.length]).toEqual([1, 0])
  newer.catalog = new Map([['s', READY_SERVER]])
  call()
  expect([older.calls.length, newer.calls.length]).toEqual([1, 1])
  expect(router.catalog('ann').get('s')?.state).toBe('ready')
})

test('[ROUTE.5] merges servers of all agents, a ready one before one that is not', () => {
  const other: CatalogServer = { ...READY_SERVER, name: 'other' }
  const newest = new FakeConnection('ann', 'a3', [STARTING, other])
  const { router } = setUp(
    new FakeConnection('ann', 'a1', [{ state: 'failed', name: 's' }]),
    new FakeConnection('ann', 'a2', [READY_SERVER]),
    newest,
  )
  expect([...router.catalog('ann')].map(([name, { state }]) => `${name} ${state}`).sort()).toEqual([
    'other ready',
    's ready',
    's-f46dd2 starting',
    's-f55ff1 failed',
  ])
  expect([...router.catalog('bob')]).toEqual([])
  const alone = setUp(newest).router
  expect(alone.catalog('ann')).toBe(newest.catalog)
  const silent = setUp(new FakeConnection('ann', 'a1')).router
  expect([...silent.catalog('ann')]).toEqual([])
})

test('[ROUTE.5] lists the newer of two ready servers of one name', () => {
  const second = { ...READY_SERVER, serverInfo: { name: 'second', version: '2' } } as CatalogServer
  const { router } = setUp(
    new FakeConnection('ann', 'a1', [READY_SERVER]),
    new FakeConnection('ann', 'a2', [second]),
  )
  expect(router.catalog('ann').get('s')).toBe(second)
})

test('[ROUTE.6] reports which server is missing or not ready, and why', () => {
  const { outcomes, call } = setUp(
    new FakeConnection('ann', 'a1', [STARTING, { state: 'failed', name: 'f', reason: 'It has no command.' }]),
  )
  call('ann', 'none')
  call('ann', 's')
  call('ann', 'f')
  const errors = outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.error : undefined))
  expect(errors.map((error) => error?.code)).toEqual([
    'server_not_found',
    'server_unavailable',
    'server_unavailable',
  ])
  expect(errors[0]?.message).toContain('Asked for "none".')
  expect(errors[1]?.message).toContain('It is starting.')
  expect(errors[2]?.message).toContain('It has no command.')
})

test('[ROUTE.5] routes calls without a matching server to an agent that lists none', () => {
  const v1 = new FakeConnection('ann', 'a1', undefined, 'v1')
  const silent = new FakeConnection('ann', 'a2')
  const v2 = new FakeConnection('ann', 'a3', [READY_SERVER])
  const { router, call } = setUp(v1, silent, v2)
  call('ann', 's')
  call('ann', 'other')
  expect([v1, silent, v2].map(({ calls }) => calls.length)).toEqual([0, 1, 1])
  expect([...router.catalog('ann').keys()]).toEqual(['s'])
  expect(router.obstacle('ann')).toBeUndefined()
  expect(router.obstacle('ann', 's')).toBeUndefined()
  expect(router.obstacle('ann', 'other')?.code).toBe('server_unavailable')
})

test('[ROUTE.7] refuses to list tools while no agent has sent a catalog', () => {
  expect(setUp().router.obstacle('ann')?.code).toBe('agent_offline')
  expect(setUp().router.obstacle('ann', 's')?.code).toBe('agent_offline')
  const silent = setUp(new FakeConnection('ann', 'a1'), new FakeConnection('ann', 'a2')).router
  expect(silent.obstacle('ann')?.code).toBe('server_unavailable')
  expect(silent.obstacle('ann')?.message).toContain('has just connected')
  expect(silent.obstacle('ann', 's')?.message).toContain('has just connected')
  const v1 = setUp(new FakeConnection('ann', 'a1', undefined, 'v1')).router
  expect([v1.obstacle('ann'), v1.obstacle('ann', 's')]).toEqual([undefined, undefined])
})

test('[STOP.1] ends a drain with the last call, and refuses calls from its start', async () => {
  const agent = new FakeConnection('ann', 'a1', [READY_SERVER])
  const { router, outcomes, call } = setUp(agent)
  call()
  call()
  expect(router.inFlight).toBe(2)
  let drained = 0
  const both = [router.drain(), router.drain()].map((drain) => drain.then(() => drained++))
  call()
  expect(outcomes.map(shown)).toEqual(['shutting_down'])
  agent.calls[0]?.settle(resultOf('1'))
  await new Promise((resolve) => setImmediate(resolve))
  expect([drained, router.inFlight]).toEqual([0, 1])
  agent.calls[1]?.settle(resultOf('2'))
  await Promise.all(both)
  expect([drained, router.inFlight]).toEqual([2, 0])
  await router.drain()
})

test('[STOP.1] ends a drain without calls at once, and does not count ended ones', async () => {
  const agent = new FakeConnection('ann', 'a1', [READY_SERVER])
  const { router, call } = setUp(agent)
  for (let time = 0; time < 3; time++) {
    call()
    agent.calls[time]?.settle(resultOf('x'))
  }
  expect(router.inFlight).toBe(0)
  await router.drain()
})

test('[ROUTE.8] waits for a server’s first start and for an agent’s first catalog', () => {
  const starting = (...connections: readonly FakeConnection[]) => {
    const { router } = setUp(...connections)
    return [router.isStarting('ann'), router.isStarting('ann', 's'), router.isStarting('ann', 'other')]
  }
  const agent = (id: string, ...servers: readonly CatalogServer[]) => new FakeConnection('ann', id, servers)
  const failed: CatalogServer = { state: 'failed', name: 's', reason: 'no' }
  expect(starting()).toEqual([false, false, false])
  expect(starting(new FakeConnection('bob', 'b', [STARTING]))).toEqual([false, false, false])
  expect(starting(agent('a', STARTING))).toEqual([true, true, false])
  expect(starting(agent('a', READY_SERVER))).toEqual([false, false, false])
  expect(starting(agent('a', failed))).toEqual([false, false, false])
  expect(starting(new FakeConnection('ann', 'a'))).toEqual([true, true, true])
  expect(starting(new FakeConnection('ann', 'a', undefined, 'v1'))).toEqual([false, false, false])
  expect(starting(agent('a', READY_SERVER), agent('b', STARTING))).toEqual([true, false, false])
})

test('[ROUTE.8] notifies a wait of agents that connect, leave or send a catalog, until it stops', () => {
  const agent = new FakeConnection('ann', 'a', [STARTING])
  const { router } = setUp()
  let heard = 0
  const stop = router.onCatalogChanged('ann', () => void heard++)
  router.registerConnection(agent)
  router.catalogChanged(agent)
  router.ended(agent)
  router.registerConnection(new FakeConnection('bob', 'b', [STARTING]))
  expect(heard).toBe(3)
  stop?.()
  stop?.()
  router.registerConnection(agent)
  expect(heard).toBe(3)
})

test('[ROUTE.8] keeps notifying a second wait when the first stops, and one that begins after both', () => {
  const { router } = setUp()
  const agent = new FakeConnection('ann', 'a', [STARTING])
  const heard: string[] = []
  const waitAs = (name: string) => router.onCatalogChanged('ann', () => void heard.push(name))
  const [stopFirst, stopSecond] = [waitAs('first'), waitAs('second')]
  stopFirst?.()
  router.registerConnection(agent)
  stopSecond?.()
  waitAs('third')
  // Stopping again must not remove the waits that began since.
  stopFirst?.()
  router.catalogChanged(agent)
  expect(heard).toEqual(['second', 'third'])
})

test('[ROUTE.5] merges the catalogs of several agents once, until one of them changes', () => {
  const older = new FakeConnection('ann', 'a1', [READY_SERVER])
  const newer = new FakeConnection('ann', 'a2', [STARTING])
  const { router } = setUp(older, newer)
  const merged = router.catalog('ann')
  expect(router.catalog('ann')).toBe(merged)
  older.catalog = new Map([['t', { ...READY_SERVER, name: 't' }]])
  expect([...router.catalog('ann').keys()].sort()).toEqual(['s', 't'])
})

test('[ROUTE.8] waits while any server of an agent is in its first start', () => {
  const other: CatalogServer = { ...READY_SERVER, name: 'other' }
  const { router } = setUp(new FakeConnection('ann', 'a', [other, STARTING]))
  expect([router.isStarting('ann'), router.isStarting('ann', 'other')]).toEqual([true, false])
})

test('[ROUTE.8] lets 64 requests of a user wait, and refuses the 65th, without affecting others', async () => {
  const { router } = setUp(new FakeConnection('ann', 'a', [STARTING]))
  const system = new FakeSystem()
  const firstStart = new FirstStart(router, system)
  const ended: string[] = []
  const ends: (() => void)[] = []
  const wait = (userId: string) =>
    firstStart
      .wait(
        userId,
        () => true,
        (end) => void ends.push(end),
      )
      .then(() => ended.push(userId))
  const all = Array.from({ length: 64 }, () => wait('ann'))
  await wait('ann')
  const other = wait('bob')
  expect(ended).toEqual(['ann'])
  expect(system.armed).toBe(65)
  ends[0]?.()
  await all[0]
  void wait('ann')
  expect(system.armed).toBe(65)
  system.advance(5_000)
  await Promise.all([...all, other])
  expect(system.armed).toBe(0)
})
