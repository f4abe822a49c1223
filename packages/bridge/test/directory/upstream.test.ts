import type { CatalogServer, ProtocolVersion } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { Directory } from '../../src/directory/directory.ts'
import { MachineClients } from '../../src/exchanges/machine-clients.ts'
import { ExchangeWorld, NotedReader, REQUEST } from '../support/exchange-world.ts'
import { connectTo, FakeConnection, READY_SERVER } from '../support/fake-connection.ts'

const OFFERING = { ...READY_SERVER, capabilities: '{"prompts":{}}' }

function setUp(servers?: readonly CatalogServer[], version?: ProtocolVersion) {
  const { table, system } = new ExchangeWorld()
  const directory = new Directory(table, new MachineClients(), system)
  const agent = new FakeConnection('ann', 'agent', servers, version)
  connectTo(directory, agent)
  const found = () => {
    const upstream = directory.find('ann', 's')
    if ('code' in upstream) return upstream.code
    const reader = new NotedReader()
    return upstream.open(REQUEST, { name: 'client', login: undefined }, reader).id ?? reader.seen.join()
  }
  return { agent, directory, found }
}

test('[EXCH.11] finds the newest agent that has the server, if its catalog says what the server offers', () => {
  const { agent, directory, found } = setUp([OFFERING])
  expect(directory.exchangeServers('ann')).toEqual([OFFERING])
  const id = found()
  expect(agent.sent).toMatchObject([{ type: 'open', id, server: 's' }])
  const newer = new FakeConnection('ann', 'newer', [OFFERING])
  connectTo(directory, newer)
  found()
  expect([agent.sent.length, newer.sent.length]).toEqual([1, 1])
})

test.each<[string, CatalogServer[] | undefined, ProtocolVersion, string]>([
  ['a server without capabilities', [READY_SERVER], 'v2', 'failed server_unavailable'],
  ['a server that is starting', [{ state: 'starting', name: 's' }], 'v2', 'server_unavailable'],
  ['an unknown server', [], 'v2', 'server_not_found'],
  ['an agent without a catalog', undefined, 'v2', 'failed server_unavailable'],
  ['a v1 agent', undefined, 'v1', 'failed server_unavailable'],
])('[EXCH.11] opens no exchange with %s', (_title, servers, version, code) => {
  const { agent, directory, found } = setUp(servers, version)
  expect([found(), directory.exchangeServers('ann'), agent.sent]).toEqual([code, [], []])
})

test('[EXCH.11] finds no server of another user', () => {
  const { directory } = setUp([OFFERING])
  expect(directory.exchangeServers('bob')).toEqual([])
  expect(directory.find('bob', 's')).toMatchObject({ code: 'agent_offline' })
})
