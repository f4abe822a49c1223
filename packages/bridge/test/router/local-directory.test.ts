import type { CatalogServer, ProtocolVersion } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { LocalDirectory } from '../../src/router/local-directory.ts'
import { Router } from '../../src/router/router.ts'
import { ExchangeWorld, NotedReader, REQUEST } from '../support/exchange-world.ts'
import { FakeConnection, READY_SERVER } from '../support/fake-connection.ts'

const OFFERING = { ...READY_SERVER, capabilities: { prompts: {} } } as CatalogServer

function setUp(servers?: readonly CatalogServer[], version?: ProtocolVersion) {
  const router = new Router()
  const agent = new FakeConnection('ann', 'agent', servers, version)
  router.registerConnection(agent)
  const directory = new LocalDirectory(router, new ExchangeWorld().table)
  const found = () => {
    const upstream = directory.find('ann', 's')
    if ('code' in upstream) return upstream.code
    return upstream.open(REQUEST, 'client', new NotedReader()).id
  }
  return { router, agent, directory, found }
}

test('[EXCH.11] finds the newest agent that has the server, if its catalog says what the server offers', () => {
  const { router, agent, directory, found } = setUp([OFFERING])
  expect(directory.server('ann', 's')).toBe(OFFERING)
  const id = found()
  expect(agent.sent).toMatchObject([{ type: 'open', id, server: 's' }])
  const newer = new FakeConnection('ann', 'newer', [OFFERING])
  router.registerConnection(newer)
  found()
  expect([agent.sent.length, newer.sent.length]).toEqual([1, 1])
})

test.each<[string, CatalogServer[] | undefined, ProtocolVersion, string]>([
  ['a server without capabilities', [READY_SERVER], 'v2', 'server_unavailable'],
  ['a server that is starting', [{ state: 'starting', name: 's' }], 'v2', 'server_unavailable'],
  ['an unknown server', [], 'v2', 'server_not_found'],
  ['an agent without a catalog', undefined, 'v2', 'server_unavailable'],
  ['a v1 agent', undefined, 'v1', 'server_unavailable'],
])('[EXCH.11] opens no exchange with %s', (_title, servers, version, code) => {
  const { agent, directory, found } = setUp(servers, version)
  expect([found(), directory.server('ann', 's'), agent.sent]).toEqual([code, undefined, []])
})

test('[EXCH.11] finds no server of another user', () => {
  const { directory } = setUp([OFFERING])
  expect(directory.server('bob', 's')).toBeUndefined()
  expect(directory.find('bob', 's')).toMatchObject({ code: 'agent_offline' })
})
