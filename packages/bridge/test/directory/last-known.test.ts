import type { CatalogServer } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { catalogTool, readyServer } from '../../../../test/support/catalog.ts'
import { LastKnown, MAX_MACHINES, MAX_USER_BYTES } from '../../src/directory/last-known.ts'
import { FakeConnection } from '../support/fake-connection.ts'

const TEXT = 'x'.repeat(1_024)

/** A ready server whose definitions have about this many KiB. */
function server(name: string, sizeKiB = 0): CatalogServer {
  const tools = Array.from({ length: sizeKiB }, (_, at) =>
    catalogTool({ name: `t${at}`, description: TEXT, inputSchema: {} }),
  )
  return readyServer(name, tools)
}

function machine(userId: string, sessionId: string, ...servers: CatalogServer[]): FakeConnection {
  return new FakeConnection(userId, sessionId, servers)
}

const namesOf = (known: LastKnown, userId: string) =>
  known.machines(userId).map(({ principal, catalog }) => [principal.sessionId, ...catalog.keys()].join(' '))

test('[AGG.1] remembers the servers of machines that left, the latest first, per user', () => {
  const known = new LastKnown()
  known.left(machine('ann', 'a1', server('s')), 1)
  known.left(machine('bob', 'b1', server('s')), 2)
  known.left(machine('ann', 'a2', server('t')), 3)
  expect(namesOf(known, 'ann')).toEqual(['a2 t', 'a1 s'])
  expect(known.machines('ann').map(({ leftAtMs }) => leftAtMs)).toEqual([3, 1])
  known.left(machine('ann', 'a1', server('u')), 4)
  expect(namesOf(known, 'ann')).toEqual(['a1 u', 'a2 t'])
})

test('[AGG.1] keeps what a server offered before it failed or started again, until the machine has it no more', () => {
  const known = new LastKnown()
  known.left(machine('ann', 'a1', server('s'), server('t')), 1)
  known.left(machine('ann', 'a1', { state: 'failed', name: 's' }, { state: 'starting', name: 'new' }), 2)
  expect(namesOf(known, 'ann')).toEqual(['a1 s'])
  expect(known.machines('ann')[0]?.catalog.get('s')?.state).toBe('ready')
  known.left(machine('ann', 'a1'), 3)
  expect(namesOf(known, 'ann')).toEqual([])
})

test('[AGG.1] knows nothing of a machine that never reported its servers', () => {
  const known = new LastKnown()
  known.left(machine('ann', 'a1', server('s')), 1)
  known.left(new FakeConnection('ann', 'a1'), 2)
  expect(namesOf(known, 'ann')).toEqual(['a1 s'])
})

test('[AGG.2] forgets the machines of a revoked user, session or device', () => {
  const known = new LastKnown()
  const device = machine('ann', 'a1', server('s'))
  Object.assign(device.principal, { deviceId: 'd1' })
  for (const one of [device, machine('ann', 'a2', server('t')), machine('bob', 'b1', server('u'))])
    known.left(one, 1)
  known.forget({ kind: 'device', id: 'd2' })
  known.forget({ kind: 'session', id: 'a1x' })
  expect(namesOf(known, 'ann')).toHaveLength(2)
  known.forget({ kind: 'device', id: 'd1' })
  expect(namesOf(known, 'ann')).toEqual(['a2 t'])
  known.forget({ kind: 'session', id: 'a2' })
  known.forget({ kind: 'user', id: 'bob' })
  expect([...namesOf(known, 'ann'), ...namesOf(known, 'bob')]).toEqual([])
})

test('[AGG.1] bounds the machines and bytes of a user, and the bytes of all', () => {
  const known = new LastKnown(MAX_USER_BYTES + 1_048_576)
  for (let at = 0; at < MAX_MACHINES + 2; at++) known.left(machine('ann', `a${at}`, server('s')), at)
  expect(namesOf(known, 'ann')).toHaveLength(MAX_MACHINES)
  expect(namesOf(known, 'ann').at(-1)).toBe('a2 s')

  known.left(machine('ann', 'large', server('s', 7_000)), 20)
  expect(namesOf(known, 'ann').slice(0, 2)).toEqual(['large s', 'a9 s'])
  known.left(machine('ann', 'more', server('s', 900)), 21)
  expect(namesOf(known, 'ann')).toEqual(['more s'])
  known.left(machine('ann', 'too-large', server('s', 9_000)), 22)
  expect(namesOf(known, 'ann')).toEqual(['more s'])

  known.left(machine('bob', 'b1', server('s', 7_000)), 23)
  expect([namesOf(known, 'ann'), namesOf(known, 'bob')]).toEqual([['more s'], ['b1 s']])
  known.left(machine('eve', 'e1', server('s', 900)), 24)
  expect([namesOf(known, 'ann'), namesOf(known, 'bob'), namesOf(known, 'eve')]).toEqual([
    [],
    ['b1 s'],
    ['e1 s'],
  ])
})
