import type { CatalogServer } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { namedServers, ServerNames } from '../../src/directory/named-servers.ts'
import { FakeConnection, READY_SERVER } from '../support/fake-connection.ts'

const ready = (name: string): CatalogServer => ({ ...READY_SERVER, name })
const failed = (name: string): CatalogServer => ({ state: 'failed', name })

function machine(sessionId: string, machineName: string | undefined, ...servers: CatalogServer[]) {
  return Object.assign(new FakeConnection('ann', sessionId, servers), { machineName })
}

test('[AGG.3] lists two machines’ servers of one name under different names, and finds each by server and machine', () => {
  const laptop = machine('a1', "Ann's Laptop", ready('notes'), ready('only'))
  const desktop = machine('a2', 'desktop', ready('notes'))
  const names = namedServers([desktop, laptop])
  expect([...names.catalog.keys()]).toEqual(['notes', 'only', 'notes-ann-s-laptop'])
  expect([...names.catalog.values()].map(({ name }) => name)).toEqual([...names.catalog.keys()])
  const found = (name: string) => {
    const server = names.find(name)
    return server && [server.machine.principal.sessionId, server.localName]
  }
  expect(found('notes')).toEqual(['a2', 'notes'])
  expect(found('notes-desktop')).toEqual(['a2', 'notes'])
  expect(found('notes-ann-s-laptop')).toEqual(['a1', 'notes'])
  expect(found('only-ann-s-laptop')).toEqual(['a1', 'only'])
  expect(found('nothing')).toBeUndefined()
})

test('[AGG.3] gives a name to the newest machine that has the server ready', () => {
  const names = namedServers([
    machine('a1', 'one', failed('s')),
    machine('a2', 'two', ready('s')),
    machine('a3', 'three', ready('s')),
  ])
  expect(names.find('s')?.machine.machineName).toBe('two')
  expect([...names.catalog.keys()]).toEqual(['s', 's-one', 's-three'])
})

test('[AGG.3] never lets a machine or server take the name of another', () => {
  const names = namedServers([
    machine('a1', 'laptop', ready('s'), ready('s-laptop')),
    machine('a2', 'laptop', ready('s')),
    machine('a3', '日本語', ready('s')),
    machine('a4', undefined, ready('s')),
  ])
  expect(names.find('s-laptop')).toMatchObject({ localName: 's-laptop' })
  expect([...names.catalog.keys()]).toEqual(
    ['s', 's-laptop', 's-laptop-f55ff1', 's-f46dd2', 's-7a3de4'].map((name) =>
      expect.stringMatching(new RegExp(`^${name.replace(/-[0-9a-f]{6}$/, '-[0-9a-f]{6}')}$`)),
    ),
  )
  expect(
    new Set(
      names.listed.map(({ machine: { principal }, localName }) => `${principal.sessionId} ${localName}`),
    ).size,
  ).toBe(5)
})

test('[AGG.3] names machines again only after a catalog changed', () => {
  const names = new ServerNames<FakeConnection>()
  const [one, two] = [machine('a1', 'one', ready('s')), machine('a2', 'two', ready('s'))]
  const first = names.of([one, two])
  expect(names.of([one, two])).toBe(first)
  expect(names.of([one]).catalog.size).toBe(1)
  two.catalog = new Map([['t', ready('t')]])
  expect([...names.of([one, two]).catalog.keys()]).toEqual(['s', 't'])
  expect(names.of([]).catalog.size).toBe(0)
})
