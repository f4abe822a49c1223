import { expect, test } from 'vitest'
import type { Client } from '../../src/exchanges/exchange.ts'
import { MAX_AWAY, MAX_CLIENTS, MAX_ENDED, MachineClients } from '../../src/exchanges/machine-clients.ts'
import { FakeConnection } from '../support/fake-connection.ts'

/** A client of Ann whose login session has the client's name. */
function clientOf(name: string, { deviceId, isRevoked = false }: Partial<Client['login']> = {}): Client {
  return { name, login: { userId: 'ann', sessionId: name, deviceId, isRevoked } }
}

/** Revokes logins, and connects a machine again. @returns the logins that it learns of */
function notified(clients: MachineClients, machine: FakeConnection, names: readonly string[]): string[] {
  for (const id of names) clients.revoked({ kind: 'session', id })
  clients.connected(machine)
  return [...new Set(machine.sent.flatMap((frame) => (frame.type === 'revoke' ? [frame.client] : [])))]
}

test('[EXCH.12] [SESS.9] repeats what a dead connection may have lost, once', () => {
  const clients = new MachineClients()
  const [dead, next, third] = [1, 2, 3].map(() => new FakeConnection('ann', 'machine'))
  if (dead === undefined || next === undefined || third === undefined) throw new Error('There are three.')
  clients.used(clientOf('eve'), dead)
  clients.sessionEnded(clientOf('eve'), 's')
  clients.revoked({ kind: 'session', id: 'eve' })
  const frames = [
    { type: 'end_session', client: 'eve', session: 's' },
    { type: 'revoke', client: 'eve' },
  ]
  expect(dead.sent).toEqual(frames)
  clients.connected(next)
  expect(next.sent).toEqual(frames.toReversed())
  clients.connected(third)
  expect(third.sent).toEqual([])
})

test('[EXCH.12] remembers a valid login once for each machine, and none of the app', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  for (let count = 0; count < 3; count++) clients.used(clientOf('eve'), machine)
  clients.used({ name: 'app', login: undefined }, machine)
  clients.used(clientOf('late', { isRevoked: true }), machine)
  expect(notified(clients, machine, ['eve', 'late', 'app', 'eve'])).toEqual(['eve'])
})

test.each([
  ['user', 'ann', ['one', 'two', 'three']],
  ['user', 'bob', []],
  ['session', 'two', ['two']],
  ['session', 'ann', []],
  ['device', 'd', ['one', 'three']],
] as const)('[EXCH.12] notifies a machine of the logins of a revoked %s %s', (kind, id, names) => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  clients.used(clientOf('one', { deviceId: 'd' }), machine)
  clients.used(clientOf('two'), machine)
  clients.used(clientOf('three', { deviceId: 'd' }), machine)
  clients.revoked({ kind, id })
  expect(machine.sent).toEqual(names.map((client) => ({ type: 'revoke', client })))
})

test('[EXCH.12] notifies the new connection of a machine whose old one ends late', () => {
  const clients = new MachineClients()
  const [first, second] = [new FakeConnection('ann', 'machine'), new FakeConnection('ann', 'machine')]
  clients.used(clientOf('eve'), first)
  clients.connected(second)
  clients.ended(first)
  clients.revoked({ kind: 'session', id: 'eve' })
  expect([first.sent, second.sent]).toEqual([[], [{ type: 'revoke', client: 'eve' }]])
})

test('[EXCH.12] forgets the login that used a machine longest ago', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  const names = Array.from({ length: MAX_CLIENTS + 2 }, (_, at) => `client ${at}`)
  for (const name of names.slice(0, MAX_CLIENTS)) clients.used(clientOf(name), machine)
  for (const name of ['client 0', ...names.slice(MAX_CLIENTS)]) clients.used(clientOf(name), machine)
  const known = new Set(notified(clients, machine, names))
  expect(names.filter((name) => !known.has(name))).toEqual(['client 1', 'client 2'])
})

test('[EXCH.12] forgets the machine that left longest ago', () => {
  const clients = new MachineClients()
  const machines = Array.from({ length: MAX_AWAY + 1 }, (_, at) => {
    const machine = new FakeConnection('ann', `machine ${at}`)
    clients.used(clientOf('eve'), machine)
    clients.ended(machine)
    return machine
  })
  clients.revoked({ kind: 'session', id: 'eve' })
  for (const machine of machines) clients.connected(machine)
  expect(machines.filter(({ sent }) => sent.length === 0)).toEqual([machines[0]])
})

test('[EXCH.12] remembers a machine that is away although another user has many of them', () => {
  const clients = new MachineClients()
  const leave = (user: string, id: string): FakeConnection => {
    const machine = new FakeConnection(user, id)
    clients.used(
      { name: id, login: { userId: user, sessionId: id, deviceId: undefined, isRevoked: false } },
      machine,
    )
    clients.ended(machine)
    return machine
  }
  const machine = leave('ann', 'ann')
  for (let count = 0; count <= MAX_AWAY; count++) leave('eve', `eve ${count}`)
  expect(notified(clients, machine, ['ann'])).toEqual(['ann'])
})

test('[EXCH.12] does not forget a machine that is back, and begins again with one that was forgotten', () => {
  const clients = new MachineClients()
  const machines = Array.from({ length: MAX_AWAY + 3 }, (_, at) => new FakeConnection('ann', `machine ${at}`))
  const [first, second, ...others] = machines
  if (first === undefined || second === undefined) throw new Error('There are more.')
  const leave = (machine: FakeConnection): void => {
    clients.used(clientOf('eve'), machine)
    clients.ended(machine)
  }
  leave(first)
  leave(second)
  clients.connected(first)
  for (const machine of others) leave(machine)
  clients.used(clientOf('eve'), second)
  clients.revoked({ kind: 'session', id: 'eve' })
  for (const machine of machines) clients.connected(machine)
  expect(machines.filter(({ sent }) => sent.length === 0)).toEqual([others[0]])
})

test('[EXCH.12] knows nothing of a machine that no client used', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  clients.connected(machine)
  clients.ended(machine)
  clients.revoked({ kind: 'user', id: 'ann' })
  clients.connected(machine)
  expect(machine.sent).toEqual([])
})

test('[SESS.9] notifies each machine that the client used of its ended session, one that is away later', () => {
  const clients = new MachineClients()
  const [awake, away, other] = ['awake', 'away', 'other'].map((id) => new FakeConnection('ann', id))
  if (awake === undefined || away === undefined || other === undefined) throw new Error('There are three.')
  const ann = clientOf('ann')
  for (const machine of [awake, away]) clients.used(ann, machine)
  clients.used(clientOf('eve'), other)
  clients.ended(away)
  clients.sessionEnded({ name: 'narrower', login: ann.login }, 'not used')
  clients.sessionEnded({ name: 'app', login: undefined }, 'of the app')
  clients.sessionEnded(ann, 's')
  const end = { type: 'end_session', client: 'ann', session: 's' }
  expect([awake.sent, away.sent, other.sent]).toEqual([[end], [], []])
  clients.connected(away)
  clients.connected(away)
  expect(away.sent).toEqual([end])
})

test('[SESS.9] remembers a bounded number of ends for a machine that is away', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  clients.used(clientOf('ann'), machine)
  clients.ended(machine)
  for (let id = 0; id <= MAX_ENDED; id++) clients.sessionEnded(clientOf('ann'), `s${id}`)
  clients.connected(machine)
  expect(machine.sent).toHaveLength(MAX_ENDED)
  expect(machine.sent[0]).toMatchObject({ session: 's1' })
})

test('[SESS.9] remembers the end of a client for a machine that is away although another ends many', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  for (const name of ['ann', 'eve']) clients.used(clientOf(name), machine)
  clients.ended(machine)
  clients.sessionEnded(clientOf('ann'), 'first')
  for (let id = 0; id <= MAX_ENDED; id++) clients.sessionEnded(clientOf('eve'), `s${id}`)
  clients.connected(machine)
  expect(machine.sent).toContainEqual({ type: 'end_session', client: 'ann', session: 'first' })
  expect(machine.sent).toHaveLength(MAX_ENDED)
})
