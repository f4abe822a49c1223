import { BridgeError, type CatalogServer } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { type CallOutcome, failed } from '../../src/calls/outcome.ts'
import { NOT_SENT } from '../../src/connection/ready-connection.ts'
import { Directory } from '../../src/directory/directory.ts'
import { MachineClients } from '../../src/exchanges/machine-clients.ts'
import { FirstStart } from '../../src/northbound/first-start.ts'
import { ExchangeWorld } from '../support/exchange-world.ts'
import { connectTo, FakeConnection, READY_SERVER, resultOf, shown } from '../support/fake-connection.ts'

const CALL = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
const STARTING: CatalogServer = { state: 'starting', name: 's' }

function setUp(...connections: readonly FakeConnection[]) {
  const { table, system } = new ExchangeWorld()
  const directory = new Directory(table, new MachineClients(), system)
  for (const connection of connections) connectTo(directory, connection)
  const outcomes: CallOutcome[] = []
  const call = (userId = 'ann', serverName = 's') => {
    const found = directory.find(userId, serverName)
    if (!(found instanceof BridgeError))
      return found.call({ ...CALL, serverName }, (outcome) => outcomes.push(outcome))
    outcomes.push(failed(found))
    return NOT_SENT
  }
  return { directory, outcomes, call }
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
  const { directory } = setUp(other, first)
  directory.registerConnection(second)
  directory.remove(first)
  directory.registerConnection(third)
  directory.remove(second)
  expect([first.replaced, second.replaced, third.replaced, other.replaced]).toEqual([1, 1, 0, 0])
  expect(directory.ofLogin({ userId: 'ann', sessionId: 'a1' })?.connection).toBe(third)
  expect(directory.ofLogin({ userId: 'ann', sessionId: 'a2' })?.connection).toBe(other)
  expect(directory.ofLogin({ userId: 'bob', sessionId: 'a1' })).toBeUndefined()
})

test('[ROUTE.4] keeps the new connection at the late end of a replaced one, repeatedly', () => {
  const [old, fresh] = [new FakeConnection('ann', 'a1', []), new FakeConnection('ann', 'a1', [READY_SERVER])]
  const { directory, call } = setUp(old, fresh)
  for (let time = 0; time < 2; time++) {
    directory.remove(old)
    call()
  }
  expect(fresh.calls).toHaveLength(2)
  directory.remove(fresh)
  expect(call().id).toBeUndefined()
})

test('[ROUTE.5] routes to the newer ready one of two agents with one server', () => {
  const older = new FakeConnection('ann', 'a1', [READY_SERVER])
  const newer = new FakeConnection('ann', 'a2', [STARTING])
  const { directory, call } = setUp(older, newer)
  call()
  expect([older.calls.length, newer.calls.length]).toEqual([1, 0])
  directory.report(newer, new Map([['s', READY_SERVER]]))
  call()
  expect([older.calls.length, newer.calls.length]).toEqual([1, 1])
  expect(directory.awakeCatalog('ann').get('s')?.state).toBe('ready')
})

test('[ROUTE.5] merges servers of all agents, a ready one before one that is not', () => {
  const other: CatalogServer = { ...READY_SERVER, name: 'other' }
  const newest = new FakeConnection('ann', 'a3', [STARTING, other])
  const { directory } = setUp(
    new FakeConnection('ann', 'a1', [{ state: 'failed', name: 's' }]),
    new FakeConnection('ann', 'a2', [READY_SERVER]),
    newest,
  )
  expect([...directory.awakeCatalog('ann')].map(([name, { state }]) => `${name} ${state}`).sort()).toEqual([
    'other ready',
    's ready',
    's-f46dd2 starting',
    's-f55ff1 failed',
  ])
  expect([...directory.awakeCatalog('bob')]).toEqual([])
  const alone = setUp(newest).directory
  expect(alone.catalog('ann')).toBe(newest.catalog)
  const silent = setUp(new FakeConnection('ann', 'a1')).directory
  expect([...silent.catalog('ann')]).toEqual([])
})

test('[ROUTE.5] lists the newer of two ready servers of one name', () => {
  const second = { ...READY_SERVER, instructions: 'second' }
  const { directory } = setUp(
    new FakeConnection('ann', 'a1', [READY_SERVER]),
    new FakeConnection('ann', 'a2', [second]),
  )
  expect(directory.awakeCatalog('ann').get('s')).toBe(second)
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
  const { directory, call } = setUp(v1, silent, v2)
  call('ann', 's')
  call('ann', 'other')
  expect([v1, silent, v2].map(({ calls }) => calls.length)).toEqual([0, 1, 1])
  expect([...directory.awakeCatalog('ann').keys()]).toEqual(['s'])
  expect(directory.obstacle('ann')).toBeUndefined()
  expect(directory.obstacle('ann', 's')).toBeUndefined()
  expect(directory.obstacle('ann', 'other')?.code).toBe('server_unavailable')
})

test('[ROUTE.7] refuses to list tools while no connected agent has sent a catalog', () => {
  expect(setUp().directory.obstacle('ann')).toBeUndefined()
  expect(setUp().directory.obstacle('ann', 's')?.code).toBe('agent_offline')
  const silent = setUp(new FakeConnection('ann', 'a1'), new FakeConnection('ann', 'a2')).directory
  expect(silent.obstacle('ann')?.code).toBe('server_unavailable')
  expect(silent.obstacle('ann')?.message).toContain('has just connected')
  expect(silent.obstacle('ann', 's')?.message).toContain('has just connected')
  const v1 = setUp(new FakeConnection('ann', 'a1', undefined, 'v1')).directory
  expect([v1.obstacle('ann'), v1.obstacle('ann', 's')]).toEqual([undefined, undefined])
})

test('[ROUTE.8] waits for a server’s first start and for an agent’s first catalog', () => {
  const starting = (...connections: readonly FakeConnection[]) => {
    const { directory } = setUp(...connections)
    return [
      directory.isStarting('ann'),
      directory.isStarting('ann', 's'),
      directory.isStarting('ann', 'other'),
    ]
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
  const { directory } = setUp()
  let heard = 0
  const stop = directory.wait('ann', () => void heard++)
  directory.registerConnection(agent)
  directory.report(agent, new Map())
  directory.remove(agent)
  directory.registerConnection(new FakeConnection('bob', 'b', [STARTING]))
  expect(heard).toBe(3)
  stop?.()
  stop?.()
  directory.registerConnection(agent)
  expect(heard).toBe(3)
})

test('[ROUTE.8] keeps notifying a second wait when the first stops, and one that begins after both', () => {
  const { directory } = setUp()
  const agent = new FakeConnection('ann', 'a', [STARTING])
  const heard: string[] = []
  const waitAs = (name: string) => directory.wait('ann', () => void heard.push(name))
  const [stopFirst, stopSecond] = [waitAs('first'), waitAs('second')]
  stopFirst?.()
  directory.registerConnection(agent)
  stopSecond?.()
  waitAs('third')
  // Stopping again must not remove the waits that began since.
  stopFirst?.()
  directory.report(agent, new Map())
  expect(heard).toEqual(['second', 'third'])
})

test('[ROUTE.5] merges the catalogs of several agents once, until one of them changes', () => {
  const older = new FakeConnection('ann', 'a1', [READY_SERVER])
  const newer = new FakeConnection('ann', 'a2', [STARTING])
  const { directory } = setUp(older, newer)
  const merged = directory.awakeCatalog('ann')
  expect(directory.awakeCatalog('ann')).toBe(merged)
  directory.report(older, new Map([['t', { ...READY_SERVER, name: 't' }]]))
  expect([...directory.awakeCatalog('ann').keys()].sort()).toEqual(['s', 't'])
})

test('[ROUTE.8] waits while any server of an agent is in its first start', () => {
  const other: CatalogServer = { ...READY_SERVER, name: 'other' }
  const { directory } = setUp(new FakeConnection('ann', 'a', [other, STARTING]))
  expect([directory.isStarting('ann'), directory.isStarting('ann', 'other')]).toEqual([true, false])
})

test('[ROUTE.8] lets 64 requests of a user wait, and refuses the 65th, without affecting others', async () => {
  const { directory } = setUp(new FakeConnection('ann', 'a', [STARTING]))
  const system = new FakeSystem()
  const firstStart = new FirstStart(directory, system)
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
